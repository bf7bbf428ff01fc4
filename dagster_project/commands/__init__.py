"""What the commands of `runmart` do; `cli` only names them and their options."""
