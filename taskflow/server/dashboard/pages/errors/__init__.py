"""The page of all groups of errors, the page of one, and actions on them."""
