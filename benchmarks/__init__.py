"""Benchmarks: what Runmart costs beside named peers, measured in turns on one machine; one command each (`make bench-…`)."""
