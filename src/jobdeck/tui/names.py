"""Short names for jobs: identifiers cut in the middle, no two of one list alike."""

from jobdeck.domain.job import JobKey
from jobdeck.tui.cells import middle


class Names:
    """Gives each job a name of at most `width` cells; a name stays as long as the width does."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._names: dict[str, str] = {}
        self._owners: dict[str, str] = {}

    def of(self, key: JobKey) -> str:
        """Return the name of a job; two jobs with one ID (in two account groups) share it."""
        name = self._names.get(key.id)
        if name is None:
            name = self._names[key.id] = self._choose(key.id)
            self._owners[name] = key.id
        return name

    def _choose(self, id_: str) -> str:
        name = middle(id_, self.width)
        if name not in self._owners:
            return name
        for head in range(1, self.width - 1):
            other = middle(id_, self.width, head)
            if other not in self._owners:
                return other
        # Both ends are those of other jobs: a running number tells them apart where letters cannot.
        number = 2
        while True:
            mark = f"#{number}"
            other = middle(id_, max(3, self.width - len(mark))) + mark
            if other not in self._owners:
                return other
            number += 1
