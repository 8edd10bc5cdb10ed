"""What to ask next: budget, back-off and the scheduler. Pure: no clock, no I/O, no asyncio; time is an argument."""
