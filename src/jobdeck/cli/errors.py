"""What ends a command early."""

import errno

from jobdeck.cli.exit_codes import ExitCode
from jobdeck.domain.text import clean, mask_keys

LISTEN_ERRORS = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM})
"""What may be wrong with a port that a user names; another error of a server is a fault of ours."""


class CommandError(Exception):
    """A command cannot go on. Each line of the message is one on standard error; `code` is the exit code."""

    def __init__(self, message: str, code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(clean(mask_keys(message), lines=True))
        self.code = code
