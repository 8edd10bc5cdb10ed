"""The command line: one module per command; data goes to stdout, messages to stderr."""
