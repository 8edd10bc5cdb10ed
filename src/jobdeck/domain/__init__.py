"""What is true: jobs, what was asked about them, and what came of it. Standard library only; no clock, no I/O."""
