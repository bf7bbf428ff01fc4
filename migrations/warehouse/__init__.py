"""The warehouse: roles and the schemas ops and quality."""
