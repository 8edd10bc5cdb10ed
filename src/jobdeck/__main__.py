"""The console script, and ``python -m jobdeck``."""

import sys

from jobdeck.cli.main import main


def run() -> None:
    """Run the command line and exit with its code."""
    sys.exit(main())


if __name__ == "__main__":
    run()
