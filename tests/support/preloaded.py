"""Everything that jobdeck and its screen import, for the processes of `forked` to have it."""

import gc
import importlib
import pkgutil

import jobdeck

LATE = "anyio._backends._asyncio encodings.idna httpcore._async.http11 textual.drivers.linux_driver tests.tui.fake"

for name in (
    *LATE.split(),
    *(found.name for found in pkgutil.walk_packages(jobdeck.__path__, "jobdeck.") if "__main__" not in found.name),
):
    importlib.import_module(name)
# What is never looked at for cycles is never copied for that either.
gc.freeze()
