"""The loop that joins scheduling and requests, and tells what changed."""
