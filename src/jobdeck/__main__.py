"""The console script, and ``python -m jobdeck``."""

import sys


def run() -> None:
    """Run the command line and exit with its code, also when it is interrupted before it has begun."""
    try:
        from jobdeck.cli.main import main  # noqa: PLC0415 - 50 ms in which somebody may press Ctrl-C

        code = main()
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    run()
