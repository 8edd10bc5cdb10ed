"""How to ask: one HTTP layer, the target parser, and one package an API."""

import sys

# httpx looks for its own command line, which imports click and Rich: 40 ms of every start, and nobody calls it here.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # documented: such an import fails, which httpx expects
