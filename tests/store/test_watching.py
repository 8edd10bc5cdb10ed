from dataclasses import replace

import pytest

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey, Stage
from jobdeck.domain.phase import Phase
from jobdeck.store import Store, UnknownJobError
from tests.builders import make_observation, make_target
from tests.store.conftest import Open
from tests.store.doing import KEY, NOW, SECOND, listed, poll

UNKNOWN = JobKey("hog", None, "op_nobody_watches")


def test_the_watch_list_keeps_order_and_accepting_ids(empty: Store) -> None:
    first = replace(make_target("op_b"), accepted_request_id="r-1", accepted_trace_id="t-1")
    second = make_target("job-1", "sonarly", "prospecting")
    third = make_target("op_a")
    assert empty.watch([first, second], NOW) == (first.key, second.key)
    assert empty.watch([third, first], NOW + 1) == (third.key,)
    assert listed(empty) == (first, second, third)


def test_what_was_unwatched_leaves_the_list_but_not_the_memory(store: Store) -> None:
    poll(store, NOW)
    assert store.unwatch([KEY, UNKNOWN], NOW + SECOND) == (KEY,)
    assert store.unwatch([KEY], NOW + SECOND) == ()
    assert listed(store) == ()
    remembered = store.load_job(KEY)
    assert remembered is not None
    assert remembered.last.status == "processing"
    assert remembered.watched_us is None


def test_watching_again_keeps_the_state_and_takes_over_a_missing_accepting_id(store: Store) -> None:
    poll(store, NOW)
    store.watch([replace(make_target(), accepted_request_id="r-1")], NOW + SECOND)
    store.watch([replace(make_target(), accepted_request_id="r-2")], NOW + SECOND)
    remembered = store.load_job(KEY)
    assert remembered is not None
    assert remembered.last.status == "processing"
    assert remembered.last.target.accepted_request_id == "r-1"


def test_a_job_stays_in_its_batch_until_a_person_names_another(empty: Store) -> None:
    first, alone = replace(make_target("op_a"), batch="night"), make_target("op_b")
    empty.watch([first, alone], NOW)
    assert [target.batch for target in listed(empty)] == ["night", ""]
    empty.watch([make_target("op_a"), replace(alone, batch="day")], NOW + SECOND)
    assert [target.batch for target in listed(empty)] == ["night", "day"]
    empty.watch([replace(first, batch="ids"), replace(alone, batch="import 7", replaces_batch=True)], NOW + SECOND)
    assert [target.batch for target in listed(empty)] == ["night", "import 7"]


def test_the_same_id_in_two_profiles_and_groups_is_three_jobs(empty: Store) -> None:
    plain, other = make_target("same"), make_target("same", "other")
    grouped = make_target("same", "other", "prospecting")
    assert len(empty.watch([plain, other, grouped], NOW)) == 3
    assert {job.last.key for job in empty.jobs()} == {plain.key, other.key, grouped.key}


def test_annotations_change_only_what_was_given(store: Store) -> None:
    assert store.annotations([KEY]) == {}
    store.annotate(KEY, now_us=NOW, note="ask Ada")
    said = store.annotate(KEY, now_us=NOW + 1, acknowledged=True)
    assert (said.acknowledged, said.note, said.actor, said.at_us) == (True, "ask Ada", "me", NOW + 1)
    assert store.annotations([KEY, UNKNOWN]) == {KEY: said}


def test_a_note_cannot_carry_a_terminal_command(store: Store) -> None:
    assert store.annotate(KEY, now_us=NOW, note="one\ntwo\x1b[2J\udc80").note == "one\ntwo\\x1b[2J\\udc80"


def test_an_unknown_job_is_neither_annotated_nor_told_of(store: Store) -> None:
    with pytest.raises(UnknownJobError, match="op_nobody_watches"):
        store.annotate(UNKNOWN, now_us=NOW, note="?")
    with pytest.raises(UnknownJobError):
        store.once(UNKNOWN, "ended", NOW)


def test_once_is_true_once_for_each_event(store: Store) -> None:
    assert store.once(KEY, "ended:failed", NOW)
    assert not store.once(KEY, "ended:failed", NOW + 1)
    assert store.once(KEY, "ended:succeeded", NOW)


def test_once_is_true_for_one_of_two_jobdecks(pair: tuple[Store, Store]) -> None:
    me, you = pair
    assert [you.once(KEY, "ended", NOW), me.once(KEY, "ended", NOW), you.once(KEY, "ended", NOW)] == [
        True,
        False,
        False,
    ]


def test_estimates_come_back_as_they_were_given(store: Store) -> None:
    assert store.load_estimates("hog") is None
    store.save_estimates("hog", '{"search":[61.5,3]}', NOW)
    store.save_estimates("hog", '{"search":[60.5,4]}', NOW + 1)
    assert store.load_estimates("hog") == '{"search":[60.5,4]}'
    assert store.load_estimates("sonarly") is None


def test_the_watched_jobs_are_those_that_are_loaded_one_by_one(store: Store) -> None:
    targets = [make_target(f"op_{number}") for number in (3, 1, 2)]
    store.watch(targets, NOW)
    store.unwatch([targets[0].key], NOW)
    poll(store, NOW, make_observation(Phase.RUNNING, stages=(Stage("import", "running", Phase.RUNNING, 0.5),)))
    now = Instant(NOW + 10, 7.0)
    loaded = [stored.at(now) for one in targets[1:] if (stored := store.load_job(one.key)) is not None]
    assert [job.key.id for job in loaded] == ["op_1", "op_2"]
    assert list(store.watched(now)) == loaded
    assert loaded[0].stages[0].stage.progress == 0.5


def test_of_the_watched_jobs_those_that_need_a_look_most_can_be_had_alone(empty: Store) -> None:
    phases = {
        "op_done": Phase.SUCCEEDED,
        "op_queued": Phase.QUEUED,
        "op_run": Phase.RUNNING,
        "op_known": Phase.FAILED,
        "op_failed": Phase.FAILED,
        "op_short": Phase.PARTIAL,
    }
    for number, (name, phase) in enumerate(phases.items()):
        empty.watch([make_target(name)], NOW)
        poll(empty, NOW + 10 * number * SECOND, make_observation(phase, id_=name), key=make_target(name).key)
    empty.watch([make_target("op_new"), make_target("a" * 24, "sonarly", "prospecting")], NOW)
    empty.annotate(make_target("op_known").key, now_us=NOW + 100 * SECOND, acknowledged=True)
    needed = ["op_failed", "op_short", "op_run", "op_queued", "op_new", "a" * 24, "op_done", "op_known"]
    listed = [job.key.id for job in empty.watched(Instant(NOW, 1.0))]
    for most in range(len(needed) + 1):
        found = [job.key.id for job in empty.watched(Instant(NOW, 1.0), most)]
        assert found == [name for name in listed if name in needed[:most]], "in the order of the list"
    assert empty.count_watched() == {"hog": 7, "sonarly": 1}


def test_of_many_jobs_those_with_a_note_are_found(store: Store) -> None:
    targets = [make_target(f"op_{number}") for number in range(60)]
    store.watch(targets, NOW)
    store.annotate(targets[7].key, now_us=NOW, note="ask Ada")
    found = store.annotations(one.key for one in targets)
    assert {key.id: note.note for key, note in found.items()} == {"op_7": "ask Ada"}


def test_a_choice_is_kept_until_another_is_made(store: Store) -> None:
    assert store.load_choice("order") is None
    store.save_choice("order", "KIND", NOW)
    store.save_choice("order", "-KIND\x1b[2J", NOW + 1)
    assert store.load_choice("order") == "-KIND\\x1b[2J"
    assert store.load_choice("database") is None


def test_everything_is_there_again_after_a_restart(open_file: Open) -> None:
    store = open_file("yesterday")
    store.watch([make_target()], NOW)
    poll(store, NOW)
    store.annotate(KEY, now_us=NOW, note="ask Ada")
    store.save_choice("order", "KIND", NOW)
    before = store.load_job(KEY)
    store.close()
    again = open_file("today")
    assert listed(again) == (make_target(),)
    assert again.load_job(KEY) == before
    assert again.annotations([KEY])[KEY].actor == "yesterday"
    assert again.load_choice("order") == "KIND"
    assert len(again.exchanges(KEY)) == 1
