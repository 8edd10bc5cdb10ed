"""Reading one job from an answer, by the fields of its resource."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from jobdeck.apis import coerce
from jobdeck.apis.fields import Field, FieldReader, first_names
from jobdeck.apis.links import MAX_LINK
from jobdeck.apis.spec import FactPaths, Fields, Paths, Phases, ProgressPaths, ProgressUnit, Resource
from jobdeck.apis.url_template import is_id
from jobdeck.domain.job import JobError, MissingPart, Observation, Part, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.text import CELL_LIMIT, one_line
from jobdeck.http.json_text import json_text
from jobdeck.http.marker import is_partial
from jobdeck.http.problems import ProblemDraft, describe_error, kind_of_code, read_error

MAX_ERROR_LENGTH = 4_096
"""Most characters, or entries, of an error that are searched for its message."""

MAX_STAGES = 100
"""Most stages of a job, as many as fit on a screen; it bounds the cost of a hostile answer of 8 MiB."""

DONE, NOT_DONE, NO_STATUS = "done", "not done", "no status"
"""Statuses for an API that has only a boolean, and for an answer that has no status yet."""

_WITH_RESULT = frozenset({Phase.SUCCEEDED, Phase.PARTIAL})

TOO_LARGE = ProblemDraft(
    ProblemKind.TOO_BIG,
    "response too large to read in full: it may say succeeded, but the dropped part could contradict that",
)


class JobFields:
    """The compiled fields of one resource, which read a job out of an answer."""

    def __init__(self, resource: Resource, phases: Phases, *, name_paths: bool) -> None:
        self._name_paths = name_paths
        paths = resource.fields
        self._paths: Fields = paths
        self._phases = phases
        self._fold = (lambda word: word) if phases.case_sensitive else str.casefold
        self._words = {self._fold(word): phase for word, phase in phases.words.items()}
        self._outcomes = frozenset(map(self._fold, phases.outcome))
        self._dones = frozenset(map(self._fold, phases.done))
        self.item = Field("item", resource.item)
        self.request_id = Field("request_id", paths.request_id)
        self.trace_id = Field("trace_id", paths.trace_id)
        self._id = Field("id", paths.id)
        self._kind = Field("kind", paths.kind)
        self._status = Field("status", paths.status)
        self._outcome = Field("outcome", paths.outcome)
        self._done = Field("done", paths.done)
        self._error = Field("error", paths.error)
        self._error_code = Field("error_code", paths.error_code)
        self._error_message = Field("error_message", paths.error_message)
        self._failures = Field("failures", paths.failures)
        self._failures_total = Field("failures_total", paths.failures_total or paths.progress.total)
        self._contradicting = (
            self._status, self._outcome, self._error, self._error_code, self._error_message, self._failures,
        )  # fmt: skip
        self._result = _result_fields(paths.result)
        self._attempt = Field("attempt", paths.attempt)
        self._created = Field("created", paths.created)
        self._started = Field("started", paths.started)
        self._updated = Field("updated", paths.updated)
        self._ended = Field("ended", paths.ended)
        self._facts = tuple((fact, Field(fact.name, fact.paths)) for fact in paths.facts)
        self._fact_names = first_names(field for _, field in self._facts)
        self._progress = _Progress("progress", paths.progress)
        stages = resource.stages
        self._stages = Field("stages", stages.items)
        self._stage_name = Field("stage name", stages.name)
        self._stage_status = Field("stage status", stages.status)
        self._stage_outcome = Field("stage outcome", stages.outcome)
        self._stage_progress = _Progress("stage progress", stages.progress)
        self._has_stages_elsewhere = stages.source is not None
        self._links = tuple((part, Field(f"{part} url", source.link)) for part, source in resource.parts.items())

    def id_in(self, reader: FieldReader) -> str | None:
        """Return the ID of the job in an answer, cut out of a longer name if the definition says so."""
        found = reader.word(self._id)
        if found is not None and self._paths.id_after_last:
            found = found.rpartition(self._paths.id_after_last)[2] or None
        reader.is_named = found is not None
        return found

    def row(self, reader: FieldReader, account_group: str | None, kind: str, *, whole: bool) -> Observation | str:
        """Return the observation in a row of a list, or why it could not be read; a summary unless `whole`."""
        if not isinstance(reader.value, dict):
            return "a row is not an object"
        found = self.id_in(reader)
        if found is None:
            return f"nothing at {' or '.join(self._paths.id)}" if self._paths.id else "no path for the id is defined"
        if not is_id(found):
            return f"{one_line(found, 80)!r} is not an ID"
        outcome = self.observation(reader, found, account_group, kind, 200, whole=whole)
        return outcome.message if isinstance(outcome, ProblemDraft) else outcome

    def observation(
        self,
        reader: FieldReader,
        job_id: str,
        account_group: str | None,
        kind: str,
        http_status: int,
        *,
        whole: bool = True,
    ) -> Observation | ProblemDraft:
        """Return the observation in an answer about a job, or the problem; a summary unless `whole`."""
        # For a summary only the fields of its state are read: it saves two thirds of the time for 100 rows with stages.
        is_read = whole or reader.matches is not None
        error = self._job_error(reader)
        result = self._result_in(reader) if is_read or self._paths.done_needs_result else None
        state = self._state(reader, error, has_result=result is not None, http_status=http_status)
        if isinstance(state, ProblemDraft):
            return state
        status, phase = state
        if phase is Phase.SUCCEEDED and reader.misses_part(*self._contradicting):
            return TOO_LARGE
        if error is None and phase is Phase.FAILED and http_status in self._phases.by_http_status:
            error = _error_of_body(reader.value)
        stages, left_out = self.stages_in(reader) if is_read and not self._has_stages_elsewhere else ((), ())
        facts = [*self._facts_in(reader), *left_out]
        created = self._moment(reader, self._created)
        updated = self._moment(reader, self._updated)
        ended = self._moment(reader, self._ended)
        return Observation(
            id=job_id,
            status=status,
            phase=phase,
            progress=self._progress.read(reader),
            stages=stages if whole else (),
            error=error if whole else None,
            result=result if whole else None,
            kind=reader.word(self._kind) or kind or None,
            account_group=account_group,
            created_us=created,
            updated_us=updated,
            ended_us=ended if phase.terminal else None,
            facts=tuple((name, value) for name, value in facts if value is not None),
            attempt=reader.word(self._attempt),
            started_us=self._moment(reader, self._started),
            whole=whole,
            elsewhere=tuple(self._elsewhere(reader, phase, has_result=result is not None)) if self._links else (),
        )

    def _elsewhere(self, reader: FieldReader, phase: Phase, *, has_result: bool) -> Iterator[MissingPart]:
        """Yield the parts that are in other answers: stages always, a result once the job has one."""
        for part, link in self._links:
            if part is Part.RESULT and (has_result or phase not in _WITH_RESULT):
                continue
            found = reader.first(link) if link.paths else ""
            if isinstance(found, str):
                yield MissingPart(part, found[: MAX_LINK + 1])

    def _state(
        self, reader: FieldReader, error: JobError | None, *, has_result: bool, http_status: int
    ) -> tuple[str, Phase] | ProblemDraft:
        """Return status and phase: by the boolean if there is one, else by the status and its outcome."""
        paths, phases = self._paths, self._phases
        raw = reader.first(self._status)
        text = coerce.text(raw)
        if raw is not None and text is None and raw != "":
            reader.note("ignored: neither a string nor a number")
        by_status = phases.by_http_status.get(http_status)
        if text is None and raw is None and by_status is not None and not paths.done:
            if by_status is Phase.SUCCEEDED:
                only_error = None if reader.is_named else _only_error(reader.value)
                if only_error is not None:
                    return only_error
                by_status = by_status if error is None else Phase.FAILED
            return f"HTTP {http_status}", self._failed_parts(reader, self._cancelled(by_status, error))
        word, phase = self._meaning(text, reader, self._outcome)
        if paths.done:
            return self._state_when_done(reader, word, phase, error, has_result=has_result)
        if word is None:
            if phases.missing is Phase.UNKNOWN or raw is not None or not reader.is_named:
                problem = None if reader.is_named else read_error_of(reader.value)
                return problem or self._without_status()
            return NO_STATUS, phases.missing
        if self._fold(word) in self._dones:
            phase = Phase.SUCCEEDED if error is None else Phase.FAILED
        return word, self._failed_parts(reader, self._cancelled(phase, error))

    def _without_status(self) -> ProblemDraft:
        where = f": no string at {' or '.join(self._paths.status)}" if self._name_paths else ""
        return protocol_problem(f"the response has no status{where}")

    def _state_when_done(
        self, reader: FieldReader, word: str | None, phase: Phase, error: JobError | None, *, has_result: bool
    ) -> tuple[str, Phase] | ProblemDraft:
        done = reader.first(self._done)
        if done is None and not reader.is_named:
            path = self._paths.done[0]
            return protocol_problem(f"the response has neither an ID nor a done flag: nothing at {path}")
        if done is not None and not isinstance(done, bool):
            return protocol_problem(f"done must be true or false, but is {one_line(json_text(done), 80)}")
        if not done:
            return word or NOT_DONE, phase if phase is Phase.QUEUED else Phase.RUNNING
        if error is not None:
            failed = phase if phase in {Phase.CANCELLED, Phase.PARTIAL} else Phase.FAILED
            return word or DONE, self._cancelled(failed, error)
        if self._paths.done_needs_result and not has_result:
            return protocol_problem("the response says done but has neither an error nor a result")
        return word or DONE, self._failed_parts(reader, phase if phase.terminal else Phase.SUCCEEDED)

    def _meaning(self, word: str | None, reader: FieldReader, outcome: Field) -> tuple[str | None, Phase]:
        """Return the effective status and its phase: those of the outcome if the status refers to it."""
        if word is None:
            return None, Phase.UNKNOWN
        folded = self._fold(word)
        if folded in self._outcomes:
            outcome_word = reader.word(outcome)
            # The job has ended, but how is unknown: show its status instead of an end.
            if outcome_word is None:
                return word, Phase.UNKNOWN
            if self._fold(outcome_word) not in self._words:
                reader.note("not in any phase")
            return outcome_word, self._words.get(self._fold(outcome_word), Phase.UNKNOWN)
        if folded in self._dones:
            # The job is over, but how is not known here; `other` is for jobs that go on.
            return word, Phase.UNKNOWN
        if folded not in self._words:
            reader.note("not in any phase")
        return word, self._words.get(folded, self._phases.other)

    def _failed_parts(self, reader: FieldReader, phase: Phase) -> Phase:
        """Return the phase of a success with failed parts: partial, or failed if all of them failed."""
        if not self._paths.failures or (phase is not Phase.SUCCEEDED and reader.matches is None):
            return phase
        failures = reader.total(self._failures)
        if failures is None and any(map(is_partial, reader.values(self._failures))) and phase is Phase.SUCCEEDED:
            return Phase.PARTIAL
        if phase is not Phase.SUCCEEDED or failures is None or failures <= 0:
            return phase
        total = reader.total(self._failures_total) if self._failures_total.paths else None
        return Phase.FAILED if total is not None and failures >= total else Phase.PARTIAL

    def _cancelled(self, phase: Phase, error: JobError | None) -> Phase:
        cancelled = error is not None and error.code in self._phases.cancelled_codes
        return Phase.CANCELLED if cancelled and phase is Phase.FAILED else phase

    def _job_error(self, reader: FieldReader) -> JobError | None:
        error = job_error(reader.first(self._error), reader.text_of)
        code = reader.word(self._error_code)
        raw = reader.first(self._error_message)
        message = one_line(raw) or None if isinstance(raw, str) else coerce.text(raw)
        if code is None and message is None:
            return error
        base = error or JobError()
        return replace(base, code=code or base.code, message=message or base.message)

    def _result_in(self, reader: FieldReader) -> str | None:
        if isinstance(self._result, Field):
            found = reader.first(self._result)
            return None if found is None else reader.text_of(found)
        parts = {name: reader.first(paths) for name, paths in self._result}
        return reader.text_of(parts) if any(value is not None for value in parts.values()) else None

    def _facts_in(self, reader: FieldReader) -> list[tuple[str, str | None]]:
        value = reader.value
        # Most answers have no result yet, where most facts are: this check saves 40 % of the time to read a poll.
        names = self._fact_names if reader.matches is None and isinstance(value, dict) else None
        if names is not None and isinstance(value, dict) and all(value.get(name) is None for name in names):
            return []
        return [(fact.name, _fact(reader, fact, paths)) for fact, paths in self._facts]

    def _moment(self, reader: FieldReader, wanted: Field) -> int | None:
        if not wanted.paths:
            return None
        value = reader.first(wanted)
        if value is None:
            return None
        found = coerce.moment(self._paths.time_unit, value)
        if found is None:
            reader.note("not a timestamp: see time_unit")
        return found

    def stages_in(self, reader: FieldReader) -> tuple[tuple[Stage, ...], tuple[tuple[str, str], ...]]:
        """Return the first `MAX_STAGES` stages, and as a fact how many there are beyond them."""
        if not self._stages.paths:
            return (), ()
        items = reader.all(self._stages)
        if reader.matches and reader.matches[-1].field == "stages" and items:
            reader.matches[-1] = replace(reader.matches[-1], value=len(items))
        stages: list[Stage] = []
        one, keeps_matches = reader.inside(None, keep_matches=False), reader.matches is not None
        for index, item in enumerate(items[:MAX_STAGES]):
            one.value, one.key = item.value, item.key
            # Only the matches of the first stage are kept, as an example.
            stage = self._stage(reader.inside(item.value, item.key) if keeps_matches and index == 0 else one)
            if stage is not None:
                stages.append(stage)
        more = len(items) - MAX_STAGES
        return tuple(stages), ((("stages_not_shown", str(more)),) if more > 0 else ())

    def _stage(self, reader: FieldReader) -> Stage | None:
        name = reader.word(self._stage_name) if self._stage_name.paths else None
        if name is None and isinstance(reader.key, str):
            name = coerce.text(reader.key)
        if name is None and not self._stage_name.paths:
            name = coerce.text(reader.key)
        if name is None:
            return None
        status = reader.word(self._stage_status) if self._stage_status.paths else coerce.text(reader.value)
        word, phase = self._meaning(status, reader, self._stage_outcome)
        progress = self._stage_progress.read(reader)
        if word is None and progress is None:
            return None
        return Stage(name, word or "", phase, progress)


class _Progress:
    """A compiled progress."""

    def __init__(self, name: str, paths: ProgressPaths) -> None:
        self._unit = paths.unit
        self._value = Field(name, paths.value)
        self._total = Field(f"{name}_total", paths.total)

    def read(self, reader: FieldReader) -> float | None:
        if not self._value.paths:
            return None
        if self._unit is ProgressUnit.COUNT:
            return coerce.share(reader.total(self._value), reader.total(self._total))
        value = reader.first(self._value)
        if value is None:
            return None
        found = coerce.progress(self._unit, value)
        if found is None:
            reader.note(f"not a {self._unit}: see progress_unit")
        return found


def _result_fields(paths: Paths | tuple[tuple[str, Paths], ...]) -> Field | tuple[tuple[str, Field], ...]:
    named = [part for part in paths if not isinstance(part, str)]
    if named:
        return tuple((name, Field(f"result.{name}", inner)) for name, inner in named)
    return Field("result", tuple(part for part in paths if isinstance(part, str)))


def _fact(reader: FieldReader, fact: FactPaths, paths: Field) -> str | None:
    if not fact.counted:
        return reader.word(paths)
    return None if reader.misses_part(paths) else reader.count(paths)


def job_error(value: object, text_of: Callable[[object], str] = json_text) -> JobError | None:
    """Return a job's failure from a value of any shape: code and message if it has them, the rest as details."""
    match value:
        case None | False | "":
            return None
        case str():
            return JobError(message=one_line(value) or None)
        case dict():
            code, raw = coerce.text(value.get("code")), value.get("message")
            message = one_line(raw) or None if isinstance(raw, str) else None
            used = {name for name, found in (("code", code), ("message", message)) if found is not None}
            rest = {name: part for name, part in value.items() if name not in used and part is not None}
            if not (used or rest):
                return None
            # If the rest is only a member `details`, its value is the details.
            details = rest["details"] if rest.keys() == {"details"} else rest
            return JobError(code, message, text_of(details) if rest else None)
        case list():
            words = [one_line(item, CELL_LIMIT) for item in value[:20] if isinstance(item, str)]
            return JobError(message="; ".join(words) or None, details=text_of(value)) if value else None
        case _:
            return JobError(details=text_of(value))


def read_error_of(value: object) -> ProblemDraft | None:
    """Return the problem of a 2xx body with an `error`, in its words; None if it has none."""
    if not isinstance(value, dict) or not value.get("error"):
        return None
    error = value["error"]
    if isinstance(error, str | list):
        error = error[:MAX_ERROR_LENGTH]
    text = (
        describe_error(error) if isinstance(error, dict) else read_error(json_text({"error": error}).encode()).message
    )
    code = coerce.text(error.get("code")) if isinstance(error, dict) else None
    message = one_line(text or "")
    return ProblemDraft(kind_of_code(code or ""), message) if message else None


def _only_error(value: object) -> ProblemDraft | None:
    """Return the problem of a 2xx body whose `error` is a text or an object; else None."""
    error = value.get("error") if isinstance(value, dict) else None
    return read_error_of(value) if isinstance(error, str | dict) else None


def _error_of_body(value: object) -> JobError | None:
    """Return the error in a body whose HTTP status means that the job failed."""
    if not isinstance(value, dict):
        return None
    top = {name: value[name] for name in ("code", "message") if isinstance(value.get(name), str | int)}
    return job_error(top or value.get("error"))


def protocol_problem(message: str) -> ProblemDraft:
    """Return the problem of an answer that does not fit the API's definition."""
    return ProblemDraft(ProblemKind.PROTOCOL, message)
