"""What tenants of the LLM workflow have handed over: its tables (`models`) and the revisions that lead to them (`versions/`)."""
