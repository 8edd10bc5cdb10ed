"""The console script."""


def run() -> None:
    """Run the command line and exit with its code."""
