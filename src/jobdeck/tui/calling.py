"""Which jobs a person wants to be called back for when they end."""

from collections.abc import Callable, Collection, Sequence

from jobdeck.domain.ending import end_words
from jobdeck.domain.job import Job, JobKey
from jobdeck.tui.copier import Say
from jobdeck.tui.herald import Herald


class Calling:
    """Keeps what `w` and `W` asked for, and calls."""

    def __init__(self, write: Callable[[str], object], say: Say) -> None:
        self._herald = Herald(write, complain=lambda fault: say(fault, True))
        self._say = say
        self._wanted: set[JobKey] = set()
        self.all = False

    @property
    def wanted(self) -> Collection[JobKey] | None:
        """The jobs to call for; None is all of them."""
        return None if self.all else self._wanted

    def wants(self, key: JobKey) -> bool:
        """Whether a person is called when a job ends."""
        return self.all or key in self._wanted

    def toggle(self, keys: Sequence[JobKey]) -> bool:
        """Call when jobs end, or no more if all of them were asked for; returns whether they are now."""
        chosen = set(keys)
        if chosen <= self._wanted:
            self._wanted -= chosen
            return False
        self._wanted |= chosen
        return True

    def toggle_all(self) -> bool:
        """Call for every job that ends, or no more."""
        self.all = not self.all
        return self.all

    def told(self, jobs: Sequence[Job]) -> None:
        """Call: jobs have ended."""
        text = end_words(jobs)
        self._wanted -= {job.key for job in jobs}
        self._herald.call(text)
        self._say(text, False)
