"""The materials job database: its tables (`models`) and the revisions that lead to them (`versions/`)."""
