"""The command line: one file per command group; each parses, calls one function, prints."""
