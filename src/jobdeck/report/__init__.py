"""Reports about jobs: tickets with the exchanges that matter, and groups of similar failures. Pure, no I/O."""
