"""How the code of an attempt waits: it gives its slot back, and takes it again before it goes on."""
