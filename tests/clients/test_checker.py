"""The checks themselves: a history that is wrong in any way must not pass."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from history import (
    Interleaved,
    Mismatch,
    check_history,
    execution_started,
    execution_succeeded,
    invocation_completed,
    step_started,
    step_succeeded,
    wait_started,
)

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def event(number: int, kind: str, details: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return one event as boto3 returns it."""
    at = BEGAN + timedelta(seconds=number)
    return {"EventId": number, "EventType": kind, "EventTimestamp": at, **fields, f"{kind}Details": details}


def data(payload: str) -> dict[str, Any]:
    """Return the wrapper of a payload."""
    return {"Payload": payload, "Truncated": False}


RETRY = {"CurrentAttempt": 1}
STEP = {"Id": "id-a", "Name": "a", "SubType": "Step"}
OTHER = {"Id": "id-b", "Name": "b", "SubType": "Wait"}
DUE = {"Duration": 5, "ScheduledEndTimestamp": BEGAN}
ENDED = {"StartTimestamp": BEGAN, "EndTimestamp": BEGAN, "RequestId": "r"}
HISTORY = [
    event(1, "ExecutionStarted", {"Input": data("1"), "ExecutionTimeout": 60}, Id="e", Name="n"),
    event(2, "StepStarted", {}, **STEP),
    event(3, "WaitStarted", DUE, **OTHER),
    event(4, "StepSucceeded", {"Result": data("2"), "RetryDetails": RETRY}, **STEP),
    event(5, "InvocationCompleted", ENDED),
    event(6, "ExecutionSucceeded", {"Result": data("3")}, Id="e", Name="n"),
]
EXPECTED = [
    execution_started("1", 60),
    Interleaved([step_started("A", "a"), step_succeeded("A", "a", "2")], [wait_started("W", "b", 5)]),
    invocation_completed(),
    execution_succeeded("3"),
]


def test_right_history_passes():
    assert check_history(HISTORY, EXPECTED) == {"A": "id-a", "W": "id-b"}


def renumbered(events: list[dict[str, Any]]) -> None:
    """Make the ids dense again, so that they are not what is wrong."""
    for number, item in enumerate(events, 1):
        item["EventId"] = number


FAULTS: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "an event is missing": lambda e: (e.pop(4), renumbered(e)),
    "an event is there twice": lambda e: (e.insert(2, copy.deepcopy(e[1])), renumbered(e)),
    "the end is missing": lambda e: e.pop(),
    "something follows the end": lambda e: (e.append(copy.deepcopy(e[4])), renumbered(e)),
    "ids have a gap": lambda e: e[5].update(EventId=7),
    "ids begin at 0": lambda e: [item.update(EventId=item["EventId"] - 1) for item in e],
    "time goes back": lambda e: e[3].update(EventTimestamp=BEGAN),
    "an operation changes its id": lambda e: e[3].update(Id="id-c"),
    "operations share an id": lambda e: e[2].update(Id="id-a"),
    "an operation changes its name": lambda e: e[3].update(Name="z"),
    "a name is added": lambda e: e[4].update(Name="z"),
    "a parent is added": lambda e: e[2].update(ParentId="id-a"),
    "a sub-type is another": lambda e: [item.update(SubType="Stop") for item in e if item.get("Id") == "id-a"],
    "a payload is another": lambda e: e[3]["StepSucceededDetails"].update(Result=data("0")),
    "a payload is said to be cut": lambda e: e[3]["StepSucceededDetails"]["Result"].update(Truncated=True),
    "an attempt is another": lambda e: e[3]["StepSucceededDetails"].update(RetryDetails={"CurrentAttempt": 2}),
    "a delay is added": lambda e: e[3]["StepSucceededDetails"]["RetryDetails"].update(NextAttemptDelaySeconds=1),
    "an error is added": lambda e: e[4]["InvocationCompletedDetails"].update(Error=data("x")),
    "a required member is missing": lambda e: e[2]["WaitStartedDetails"].pop("ScheduledEndTimestamp"),
    "details are missing": lambda e: e[1].pop("StepStartedDetails"),
    "details are those of another event": lambda e: e[1].update(StepFailedDetails={}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_wrong_history_does_not_pass(name: str):
    events = copy.deepcopy(HISTORY)
    FAULTS[name](events)
    with pytest.raises(Mismatch):
        check_history(events, EXPECTED)


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        ("start s 1000000000 1\nacknowledged s 1100000000 1\n", 0),
        ("start s 1000000000 1\nstart s 1050000000 2\nacknowledged s 1100000000 2\n", 0),
        ("start s 1000000000 1\nacknowledged s 1100000000 1\nstart s 1200000000 2\n", 1),
        ("start s 1000000000 1\nstart s 1200000000 9\n", 0),
        ("start t 1000000000 1\n", 0),
        ("start t 1000000000 1\nacknowledged t 1100000000 1\n", 1),
    ],
    ids=["once", "again-before", "again-after", "orphan-after", "unacknowledged", "lost"],
)
def test_chaos_finds_what_was_lost_or_repeated(lines: str, faults: int, tmp_path: Path):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "chaos"))
    import random

    from chaos import Chaos, Workflow

    (tmp_path / "w").write_text(lines)
    workflow = Workflow("w", {}, [], [])
    chaos = Chaos(None, [workflow], tmp_path, 0, random.Random(0), deaths={9: 1_150_000_000})  # type: ignore[arg-type]
    assert len(chaos._repetitions(workflow, {"s": 1.09})) == faults
