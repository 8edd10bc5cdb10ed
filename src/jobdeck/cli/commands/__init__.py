"""The commands, one a file: each `run` does what its command line asks for and returns the exit code."""
