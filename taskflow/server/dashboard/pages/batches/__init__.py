"""The pages of batches: all of them, and one with its runs and refused items."""
