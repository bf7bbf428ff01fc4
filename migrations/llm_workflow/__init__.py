"""The database that each tenant of the LLM workflow has: its tables (`models`) and the revisions that lead to them (`versions/`)."""
