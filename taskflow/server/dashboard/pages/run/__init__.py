"""The page of one run: what it did, why it failed, what it waits for, and what one can do about it."""
