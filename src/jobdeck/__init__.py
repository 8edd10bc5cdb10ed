"""jobdeck: a terminal monitor for API jobs in flight."""

__version__ = "0.1.0"
