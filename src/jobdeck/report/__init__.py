"""What is handed on about jobs: tickets, which exchanges they show, and failures that are alike. Pure, no I/O."""
