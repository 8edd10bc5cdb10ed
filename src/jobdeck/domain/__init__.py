"""Jobs, the requests about them and the rules by which they change. Standard library only; no clock, no I/O."""
