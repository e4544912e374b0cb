"""The page of runs, and the table of runs that other pages show, too."""
