"""The control database of the LLM workflow: its tables (`models`) and the revisions that lead to them (`versions/`)."""
