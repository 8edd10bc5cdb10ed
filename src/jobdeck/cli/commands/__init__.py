"""The commands, one per module: `run` executes a command and returns its exit code."""
