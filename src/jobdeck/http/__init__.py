"""The HTTP client that all APIs share: requests, bounded and redacted answers, and the problems of those that fail."""

import sys

# httpx imports its command line, and with it click and Rich: 40 ms of every start, for something never called here.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # documented: such an import fails, which httpx expects
