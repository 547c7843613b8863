"""Pictures of results, for files, notebooks and the report: Altair charts of one look."""
