"""The Runtime API runs handlers as Lambda does: real runtime client, own packages only."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws.runtime_api import Function, InitFailed, InvocationFailed, running

HANDLER = """
import os
loaded = []
def answer(event, context):
    loaded.append(1)
    return {"asked": event["question"], "calls": len(loaded), "request": context.aws_request_id, "mine": os.environ.get("MINE")}
def fail(event, context):
    raise RuntimeError("no answer")
def needs(event, context):
    import fastapi
def left_ms(event, context):
    return context.get_remaining_time_in_millis()
def leave(event, context):
    os._exit(3)
"""


@pytest.fixture
def task(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "answers.py").write_text(HANDLER)
    return folder


@pytest.fixture
def function(task: Path, tmp_path: Path) -> Iterator[Function]:
    with running("answers.answer", path=[task], scratch=tmp_path, environment={"MINE": "yes"}) as function:
        yield function


def test_one_process_answers_event_after_event(function: Function) -> None:
    first = function.invoke({"question": "one"})
    second = function.invoke({"question": "two"})
    assert (first["asked"], first["calls"], first["mine"]) == ("one", 1, "yes")
    assert (second["asked"], second["calls"]) == ("two", 2)
    assert first["request"] != second["request"]
    assert function.init_ms > 0


def test_what_a_handler_raises_is_reported(task: Path, tmp_path: Path) -> None:
    with (
        running("answers.fail", path=[task], scratch=tmp_path) as function,
        pytest.raises(InvocationFailed, match="no answer"),
    ):
        function.invoke({})


def test_a_package_that_no_layer_has_is_missing(task: Path, tmp_path: Path) -> None:
    with (
        running("answers.needs", path=[task], scratch=tmp_path) as function,
        pytest.raises(InvocationFailed, match="No module named 'fastapi'"),
    ):
        function.invoke({})


def test_a_handler_that_cannot_be_loaded_says_why(task: Path, tmp_path: Path) -> None:
    (task / "broken.py").write_text("import nothing_like_it\n")
    with pytest.raises(InitFailed, match="nothing_like_it"), running("broken.handler", path=[task], scratch=tmp_path):
        pytest.fail("it was loaded")


def test_a_handler_knows_how_long_it_has(task: Path, tmp_path: Path) -> None:
    with running("answers.left_ms", path=[task], scratch=tmp_path) as function:
        assert 3_000_000 < function.invoke({}, timeout_s=3600) <= 3_600_000


def test_a_process_that_leaves_is_not_waited_for(task: Path, tmp_path: Path) -> None:
    with (
        running("answers.leave", path=[task], scratch=tmp_path) as function,
        pytest.raises(InvocationFailed, match="ended with status 3"),
    ):
        function.invoke({}, timeout_s=3600)


SNAPSHOTTED = """
from snapshot_restore_py import register_after_restore, register_before_snapshot
done = []
register_before_snapshot(done.append, "before the snapshot")
register_after_restore(done.append, "after the restore")
def answer(event, context):
    return done
"""


@pytest.mark.parametrize(
    ("kind", "done"), [("on-demand", []), ("snap-start", ["before the snapshot", "after the restore"])]
)
def test_a_snapshots_hooks_are_called_before_the_first_event(
    task: Path, tmp_path: Path, kind: str, done: list[str]
) -> None:
    (task / "snapshotted.py").write_text(SNAPSHOTTED)
    environment = {"AWS_LAMBDA_INITIALIZATION_TYPE": kind}
    with running("snapshotted.answer", path=[task], scratch=tmp_path, environment=environment) as function:
        assert function.invoke({}) == done
