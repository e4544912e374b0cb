"""Everything that both executors share between a claim and its outcome."""
