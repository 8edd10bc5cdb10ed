"""Sources of secrets: environment, private file, keyring, prompt, or a private configuration file."""

import getpass
import os
import shlex
import stat
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jobdeck.config.errors import ConfigError
from jobdeck.files import as_utf8, expand_home, is_inherited_pipe, open_regular, read_pipe
from jobdeck.http.credentials import MalformedSecretError, Secret

KEYRING_SECONDS = 3.0
"""A locked keyring may wait for a password prompt that nobody sees."""

PROMPT = "prompt"
"""The reference for a secret that the user types; it is too short to be a secret."""

_typed: dict[str, str] = {}
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MAX_SECRET_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A reference to a secret: ``env:NAME``, ``file:PATH``, ``keyring:SERVICE/USER``, ``prompt``, or plain text."""

    text: str
    """Never shown, because it may be the secret itself."""
    where: str
    """The location of the reference, for messages."""

    def __repr__(self) -> str:
        return f"SecretRef({self.where})"

    @property
    def plain(self) -> bool:
        """Whether the reference is the secret itself."""
        return not self.prompted and self.text.partition(":")[0] not in {"env", "file", "keyring"}

    @property
    def prompted(self) -> bool:
        """Whether the user types the secret, once per run, when it is first needed."""
        return self.text == PROMPT

    @property
    def source(self) -> str:
        """Describe the source of the secret without revealing it."""
        return "plaintext in the configuration" if self.plain else self.text

    def resolve(self, env: Mapping[str, str]) -> Secret:
        """Load the secret; raises `ConfigError` with the source if it is missing, readable by others or malformed."""
        scheme, _, rest = self.text.partition(":")
        match scheme:
            case "env":
                value = _from_env(rest, env, self.where)
            case "file":
                value = _from_file(expand_home(rest), self.where)
            case "keyring":
                value = _from_keyring(rest, self.where)
            case _:
                value = _from_prompt(self.where) if self.prompted else self.text
        try:
            return Secret(value, f"{self.where} ({self.source})")
        except MalformedSecretError as error:
            raise ConfigError(str(error)) from None


def require_private(path: Path, what: str) -> None:
    """Raise `ConfigError` with the remedy if other users can read a file that contains a secret."""
    _check_mode(path, path.stat(), what)


def _check_mode(path: Path, state: os.stat_result, what: str) -> None:
    mode = stat.S_IMODE(state.st_mode)
    if sys.platform == "win32":
        return  # mode bits mean nothing there: a user's folders are protected by access control lists
    if mode & _OTHERS:
        message = (
            f"{path} contains {what} and other users can read it (mode {mode:04o}): chmod 600 {shlex.quote(str(path))}"
        )
        raise ConfigError(message)


def require_trusted_owner(path: Path, what: str) -> None:
    """Raise `ConfigError` with the remedy if anybody but the owner or root can change a file."""
    state = path.stat()
    if sys.platform == "win32":
        return
    if state.st_uid not in {0, os.getuid()}:
        raise ConfigError(f"{path} contains {what} and belongs to another user")
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(f"{path} contains {what} and other users can change it: chmod go-w {shlex.quote(str(path))}")


def _from_env(name: str, env: Mapping[str, str], where: str) -> str:
    if not name.isidentifier():
        # It may be the key itself.
        raise ConfigError(f"{where}: env: must be followed by the name of an environment variable")
    value = env.get(name, "")
    if not value.strip():
        raise ConfigError(f"{where}: the environment variable {name} is not set")
    return value


def _from_file(path: Path, where: str) -> str:
    try:
        if is_inherited_pipe(path):  # a password manager's way to pass a key without a file
            return as_utf8(read_pipe(path, _MAX_SECRET_BYTES)).decode("ascii")
        with open_regular(path) as file:
            # Check the open file, because the name may belong to another file by now.
            _check_mode(path, os.fstat(file.fileno()), "a secret")
            data = file.read(_MAX_SECRET_BYTES + 1)
        return as_utf8(data).decode("ascii")
    except OSError as error:
        raise ConfigError(f"{where}: cannot read {path}: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{where}: {path} does not contain an ASCII secret") from None


def _from_keyring(place: str, where: str) -> str:
    service, slash, user = place.partition("/")
    if not slash or not service or not user:
        raise ConfigError(f"{where}: a keyring reference must look like keyring:SERVICE/USER")
    try:
        import keyring  # noqa: PLC0415 - an optional extra, and slow to import
    except ImportError:
        raise ConfigError(f"{where}: keyring support is not installed: pipx install 'jobdeck[keyring]'") from None
    found: list[str | None] = []
    faults: list[str] = []

    def ask() -> None:
        try:
            found.append(keyring.get_password(service, user))
        except Exception as error:  # noqa: BLE001 - every backend has exceptions of its own
            faults.append(type(error).__name__)

    # A daemon thread, because a backend that waits for a prompt can be neither cancelled nor joined.
    thread = threading.Thread(target=ask, name="keyring", daemon=True)
    thread.start()
    thread.join(KEYRING_SECONDS)
    if found and found[0]:
        return found[0]
    if thread.is_alive():
        reason = f"did not respond within {KEYRING_SECONDS:g} s (is it locked?)"
    elif faults:
        reason = f"failed ({faults[0]})"
    else:
        reason = "has no such entry"
    raise ConfigError(f"{where}: the keyring {reason}: {service}/{user}")


def _from_prompt(where: str) -> str:
    """Read a secret from the terminal without echo, regardless of stdin; asks once per run."""
    if where not in _typed:
        try:
            if sys.platform != "win32":
                # Without a terminal, getpass would read from stdin, with echo.
                os.close(os.open("/dev/tty", os.O_RDWR))
            _typed[where] = getpass.getpass(f"{where}: ")
        except (OSError, EOFError):
            message = f"{where} must be entered at a terminal, but there is none: use env:NAME or file:PATH instead"
            raise ConfigError(message) from None
    return _typed[where]
