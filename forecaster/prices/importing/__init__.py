"""Files that people have, as price tables: separators, headings, dates, numbers, units."""
