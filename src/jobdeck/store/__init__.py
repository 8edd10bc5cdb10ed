"""What we remember between two runs."""
