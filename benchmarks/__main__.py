"""Run every benchmark, or those that are named: ``python -m benchmarks [--full] [NAME…]``.

``--full`` is for those that have a short and a long form.
"""

import importlib
import pkgutil
import sys
from pathlib import Path


def main() -> int:
    """Run the benchmarks and return 1 when one of them missed its budget."""
    folder = Path(__file__).parent
    known = sorted(module.name for module in pkgutil.iter_modules([str(folder)]) if not module.name.startswith("_"))
    chosen = [name for name in sys.argv[1:] if name != "--full"] or known
    missed = False
    for name in chosen:
        if name not in known:
            sys.stderr.write(f"no benchmark is called {name}; there are: {', '.join(known)}\n")
            return 2
        run = getattr(importlib.import_module(f"benchmarks.{name}"), "main", None)
        if run is not None:
            sys.stdout.write(f"\n{name}\n")
            missed = bool(run()) or missed
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
