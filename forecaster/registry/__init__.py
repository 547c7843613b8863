"""Model versions on disk: their history in service, integrity, removal and export."""
