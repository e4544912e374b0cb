"""A child process around its runs: its output, the state that it puts back, and the processes that runs leave."""
