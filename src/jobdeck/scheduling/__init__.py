"""Which request to send next: budget, back-off and the scheduler. Pure: no clock, no I/O, no asyncio.

Time is an argument.
"""
