"""The loop that joins scheduling and providers, and tells what changed."""
