"""Every operation of the durable execution SDKs: results, and complete histories event by event."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from board import board
from command_line import CommandLine
from deployment import LANGUAGES
from everstep_server import EverstepServer, function_arn
from executions import ended, events_of, start
from history import (
    ANY,
    Expected,
    Interleaved,
    callback_started,
    callback_timed_out,
    check_history,
    context_failed,
    context_started,
    context_succeeded,
    execution_failed,
    execution_started,
    execution_succeeded,
    invocation_completed,
    invoke_ended,
    invoke_started,
    read_history,
    step_failed,
    step_started,
    step_succeeded,
    wait_started,
    wait_succeeded,
)

WAIT = 2
"""Seconds of the waits: long enough that a busy machine has suspended the handler by then."""

History = Sequence[Expected | Interleaved]
EXIT_ERROR = {"ErrorType": "Runtime.ExitError", "ErrorMessage": ANY}


@dataclass(frozen=True)
class Scenario:
    """A case of the functions, its input, and the history it must leave.

    The history is a function of the language, because the SDKs name children and errors in their own ways.
    """

    name: str
    history: Callable[[str], History]
    input: dict[str, Any] = field(default_factory=dict)
    status: str = "SUCCEEDED"
    result: Any = None
    languages: tuple[str, ...] = LANGUAGES
    jumps: int = 0
    """How often a clock is moved to the next wake-up: of one wait after another, however busy the machine is."""


def user_error(language: str) -> str:
    """Return what the handlers of a language throw."""
    return "RangeError" if language == "javascript" else "ValueError"


def python_name(language: str, name: str) -> str | None:
    """Return a name that only the Python SDKs give."""
    return None if language == "javascript" else name


def single_step(language: str) -> History:
    """Return E1: one step."""
    return [
        execution_started(json.dumps({"case": "step", "name": "World"}), 300),
        step_started("A", "greet"),
        step_succeeded("A", "greet", '"Hello, World!"'),
        invocation_completed(),
        execution_succeeded('"Hello, World!"'),
    ]


def step_retry(language: str) -> History:
    """Return E2: a retry, then success."""
    error = {"ErrorType": user_error(language), "ErrorMessage": "not yet"}
    return [
        execution_started(),
        step_started("A", "flaky"),
        step_failed("A", "flaky", error, 1, delay=1),
        invocation_completed(),
        step_started("A", "flaky"),
        step_succeeded("A", "flaky", '"second"', 2),
        invocation_completed(),
        execution_succeeded('"second"'),
    ]


def step_retry_exhausted(language: str) -> History:
    error = {"ErrorMessage": "never"}
    return [
        execution_started(),
        step_started("A", "hopeless"),
        step_failed("A", "hopeless", error, 1, delay=1),
        invocation_completed(),
        step_started("A", "hopeless"),
        step_failed("A", "hopeless", error, 2),
        invocation_completed(error=error),
        execution_failed(error),
    ]


def step_fails(language: str) -> History:
    error = {"ErrorMessage": "never"}
    return [
        execution_started(),
        step_started("A", "hopeless"),
        step_failed("A", "hopeless", error, 1),
        invocation_completed(error=error),
        execution_failed(error),
    ]


def step_failure_caught(language: str) -> History:
    return [
        execution_started(),
        step_started("A", "hopeless"),
        step_failed("A", "hopeless", {"ErrorMessage": "never"}, 1),
        invocation_completed(),
        execution_succeeded('"caught never"'),
    ]


def step_at_most_once(language: str) -> History:
    return [
        execution_started(),
        step_started("A", "careful"),
        step_succeeded("A", "careful", '"once"'),
        invocation_completed(),
        execution_succeeded('"once"'),
    ]


def step_crash_retried(language: str) -> History:
    """Return E7: a crash in an at-most-once step that may be retried."""
    result = '"succeeded on second attempt"'
    return [
        execution_started(),
        step_started("A", "crashing"),
        invocation_completed(error=EXIT_ERROR),
        step_failed("A", "crashing", ANY, 1, delay=1),
        invocation_completed(),
        step_started("A", "crashing"),
        step_succeeded("A", "crashing", result, 2),
        invocation_completed(),
        execution_succeeded(result),
    ]


def step_crash_not_retried(language: str) -> History:
    # The Python SDK 1.x lets the invocation fail once more before it lets the execution fail.
    again = [invocation_completed(error={"ErrorType": "StepInterruptedError"})] if language == "python1" else []
    return [
        execution_started(),
        step_started("A", "crashing"),
        invocation_completed(error=EXIT_ERROR),
        step_failed("A", "crashing", ANY, 1),
        *again,
        invocation_completed(error=ANY),
        execution_failed(),
    ]


def crash_between_steps(language: str) -> History:
    return [
        execution_started(),
        step_started("A", "first"),
        step_succeeded("A", "first", '"first"'),
        invocation_completed(error=EXIT_ERROR),
        step_started("B", "second"),
        step_succeeded("B", "second", '"second"'),
        invocation_completed(),
        execution_succeeded(ANY),
    ]


def wait(language: str) -> History:
    """Return E3: a wait."""
    return [
        execution_started(),
        wait_started("W", "pause", WAIT),
        invocation_completed(),
        wait_succeeded("W", "pause", WAIT),
        invocation_completed(),
        execution_succeeded('"rested"'),
    ]


def step_wait_step(language: str) -> History:
    return [
        execution_started(),
        step_started("A", "before"),
        step_succeeded("A", "before", '"before"'),
        wait_started("W", "pause", WAIT),
        invocation_completed(),
        wait_succeeded("W", "pause", WAIT),
        step_started("B", "after"),
        step_succeeded("B", "after", '"after"'),
        invocation_completed(),
        execution_succeeded(ANY),
    ]


def two_waits(language: str) -> History:
    """Two waits in one parallel: each ends in a replay of its own."""
    empty = None if language == "javascript" else "null"
    name = "parallel-branch-0", "parallel-branch-1"
    return [
        execution_started(),
        context_started("P", "both", "Parallel"),
        Interleaved(
            [
                context_started("X", name[0], "ParallelBranch", "P"),
                wait_started("V", "pause-60", 60, "X"),
            ],
            [
                context_started("Y", name[1], "ParallelBranch", "P"),
                wait_started("W", "pause-120", 120, "Y"),
            ],
        ),
        invocation_completed(),
        wait_succeeded("V", "pause-60", 60, "X"),
        context_succeeded("X", name[0], "ParallelBranch", empty, "P"),
        invocation_completed(),
        wait_succeeded("W", "pause-120", 120, "Y"),
        context_succeeded("Y", name[1], "ParallelBranch", empty, "P"),
        context_succeeded("P", "both", "Parallel"),
        invocation_completed(),
        execution_succeeded('"rested twice"'),
    ]


def callback_timeout(language: str) -> History:
    """Return E4: a callback that times out, uncaught."""
    return [
        execution_started(),
        callback_started("C", "approval", timeout=WAIT),
        invocation_completed(),
        callback_timed_out("C", "approval", "Callback.Timeout"),
        invocation_completed(error=ANY),
        execution_failed({"ErrorMessage": "Callback timed out"}),
    ]


def callback_heartbeat(language: str) -> History:
    return [
        execution_started(),
        callback_started("C", "approval", timeout=60, heartbeat=WAIT),
        invocation_completed(),
        callback_timed_out("C", "approval", "Callback.Heartbeat"),
        invocation_completed(error=ANY),
        execution_failed({"ErrorMessage": "Callback timed out on heartbeat"}),
    ]


def submitter_fails(language: str) -> History:
    """Return E8: the submitter of wait_for_callback fails until its retries are used up."""
    id_name = python_name(language, "approval create callback id")
    name = python_name(language, "approval submitter")
    error = {"ErrorMessage": "nobody listens"}
    return [
        execution_started(),
        context_started("X", "approval", "WaitForCallback"),
        callback_started("C", id_name, "X"),
        step_started("S", name, "X"),
        step_failed("S", name, error, 1, delay=1, parent="X"),
        invocation_completed(),
        step_started("S", name, "X"),
        step_failed("S", name, error, 2, parent="X"),
        context_failed("X", "approval", "WaitForCallback"),
        invocation_completed(error=ANY),
        execution_failed(),
    ]


def callback_and_wait(language: str) -> History:
    """Return E11: a callback times out while a wait is pending too."""
    return [
        execution_started(),
        callback_started("C", "approval", timeout=60),
        wait_started("W", "pause", 120),
        invocation_completed(),
        callback_timed_out("C", "approval", "Callback.Timeout"),
        invocation_completed(),
        wait_succeeded("W", "pause", 120),
        invocation_completed(error=ANY),
        execution_failed(),
    ]


def child(language: str) -> History:
    return [
        execution_started(),
        context_started("X", "outer", "RunInChildContext"),
        step_started("A", "step-a", "X"),
        step_succeeded("A", "step-a", '"a"', parent="X"),
        context_succeeded("X", "outer", "RunInChildContext", '"a"'),
        invocation_completed(),
        execution_succeeded('"a"'),
    ]


def child_nested(language: str) -> History:
    return [
        execution_started(),
        context_started("X", "outer", "RunInChildContext"),
        context_started("Y", "inner", "RunInChildContext", "X"),
        step_started("A", "step-a", "Y"),
        step_succeeded("A", "step-a", '"a"', parent="Y"),
        context_succeeded("Y", "inner", "RunInChildContext", '"a"', "X"),
        context_succeeded("X", "outer", "RunInChildContext", '"ab"'),
        invocation_completed(),
        execution_succeeded('"ab"'),
    ]


def child_fails(language: str) -> History:
    return [
        execution_started(),
        context_started("X", "outer", "RunInChildContext"),
        context_failed("X", "outer", "RunInChildContext", {"ErrorMessage": "child broke"}),
        invocation_completed(error=ANY),
        execution_failed({"ErrorMessage": "child broke"}),
    ]


def nothing(result: str) -> Callable[[str], History]:
    """Return E10: an execution that records no operation."""
    return lambda _: [execution_started(), invocation_completed(), execution_succeeded(result)]


def map_items(language: str) -> History:
    events = [execution_started(), context_started("M", "doubles", "Map")]
    for index, result in enumerate(["2", "4", "6"]):
        context, step = f"I{index}", f"S{index}"
        name = f"map-item-{index}"
        events += [
            context_started(context, name, "MapIteration", "M"),
            step_started(step, f"double-{index}", context),
            step_succeeded(step, f"double-{index}", result, parent=context),
            context_succeeded(context, name, "MapIteration", result, "M"),
        ]
    return [
        *events,
        context_succeeded("M", "doubles", "Map"),
        invocation_completed(),
        execution_succeeded(ANY),
    ]


def parallel(language: str) -> History:
    """Return E5: two branches one after the other; the second waits."""
    name = "parallel-branch-0", "parallel-branch-1"
    return [
        execution_started(),
        context_started("P", "both", "Parallel"),
        context_started("X", name[0], "ParallelBranch", "P"),
        step_started("S", "work", "X"),
        step_succeeded("S", "work", '"b0"', parent="X"),
        context_succeeded("X", name[0], "ParallelBranch", '"b0"', "P"),
        context_started("Y", name[1], "ParallelBranch", "P"),
        wait_started("W", "pause", WAIT, "Y"),
        invocation_completed(),
        wait_succeeded("W", "pause", WAIT, "Y"),
        context_succeeded("Y", name[1], "ParallelBranch", '"b1"', "P"),
        context_succeeded("P", "both", "Parallel"),
        invocation_completed(),
        execution_succeeded(ANY),
    ]


def parallel_tolerant(language: str) -> History:
    name = "parallel-branch-0", "parallel-branch-1"
    return [
        execution_started(),
        context_started("P", "both", "Parallel"),
        context_started("X", name[0], "ParallelBranch", "P"),
        context_failed("X", name[0], "ParallelBranch", {"ErrorMessage": "branch broke"}, "P"),
        context_started("Y", name[1], "ParallelBranch", "P"),
        step_started("S", "step-a", "Y"),
        step_succeeded("S", "step-a", '"a"', parent="Y"),
        context_succeeded("Y", name[1], "ParallelBranch", '"a"', "P"),
        context_succeeded("P", "both", "Parallel"),
        invocation_completed(),
        execution_succeeded(ANY),
    ]


def condition(language: str) -> History:
    """Return E9: the condition holds at the third poll."""
    events: list[Expected] = [execution_started()]
    for attempt in (1, 2, 3):
        delay = 1 if attempt < 3 else None
        events += [
            step_started("Q", "poll", sub_type="WaitForCondition"),
            step_succeeded("Q", "poll", str(attempt), attempt, delay=delay, sub_type="WaitForCondition"),
            invocation_completed(),
        ]
    return [*events, execution_succeeded("3")]


def large_child(language: str) -> History:
    """A result above 256 KB is not recorded: the context is replayed from its children."""
    return [
        execution_started(),
        context_started("X", "large", "RunInChildContext"),
        step_started("S", "letter", "X"),
        step_succeeded("S", "letter", '"x"', parent="X"),
        # The Python SDK 1.x sends no payload, the others an empty one.
        context_succeeded("X", "large", "RunInChildContext", None if language == "python1" else ""),
        wait_started("W", "pause", WAIT),
        invocation_completed(),
        wait_succeeded("W", "pause", WAIT),
        invocation_completed(),
        execution_succeeded("300000"),
    ]


def handler_fails(language: str) -> History:
    error = {"ErrorType": ANY, "ErrorMessage": "handler broke"}
    return [execution_started(), invocation_completed(error=error), execution_failed(error)]


def nondeterministic(language: str) -> History:
    return [
        execution_started(),
        wait_started("W", "pause", WAIT),
        invocation_completed(),
        wait_succeeded("W", "pause", WAIT),
        invocation_completed(error=ANY),
        execution_failed(),
    ]


def invocation_error_once(language: str) -> History:
    return [
        execution_started(),
        invocation_completed(error={"ErrorType": "InvocationError", "ErrorMessage": "try again"}),
        invocation_completed(),
        execution_succeeded('"recovered"'),
    ]


def crash_always(language: str) -> History:
    """A process that exits is started again at once, three times."""
    return [
        execution_started(),
        *(invocation_completed(error=EXIT_ERROR) for _ in range(4)),
        execution_failed(EXIT_ERROR),
    ]


SCENARIOS = [
    Scenario("step", single_step, {"name": "World"}, result="Hello, World!"),
    Scenario("step_retry", step_retry, result="second"),
    Scenario("step_retry_exhausted", step_retry_exhausted, status="FAILED"),
    Scenario("step_fails", step_fails, status="FAILED"),
    Scenario("step_failure_caught", step_failure_caught, result="caught never"),
    Scenario("step_at_most_once", step_at_most_once, result="once"),
    Scenario("step_crash_retried", step_crash_retried, result="succeeded on second attempt"),
    Scenario("step_crash_not_retried", step_crash_not_retried, status="FAILED"),
    Scenario("crash_between_steps", crash_between_steps, result=["first", "second"]),
    Scenario("wait", wait, {"seconds": WAIT}, result="rested"),
    Scenario("step_wait_step", step_wait_step, {"seconds": WAIT}, result=["before", "after"]),
    Scenario("two_waits", two_waits, {"seconds": [60, 120]}, result="rested twice", jumps=2),
    Scenario("callback_timeout", callback_timeout, {"seconds": WAIT}, status="FAILED"),
    Scenario("callback_heartbeat", callback_heartbeat, {"timeout": 60, "heartbeat": WAIT}, status="FAILED"),
    Scenario("submitter_fails", submitter_fails, status="FAILED"),
    Scenario("callback_and_wait", callback_and_wait, {"timeout": 60, "seconds": 120}, status="FAILED", jumps=2),
    Scenario("child", child, result="a"),
    Scenario("child_nested", child_nested, result="ab"),
    Scenario("child_fails", child_fails, status="FAILED"),
    Scenario("child_virtual", nothing('"unrecorded"'), result="unrecorded"),
    Scenario("map_items", map_items, {"items": [1, 2, 3]}, result=[2, 4, 6]),
    Scenario("parallel", parallel, {"seconds": WAIT}, result=["b0", "b1"]),
    Scenario("parallel_tolerant", parallel_tolerant, result=[1, 1]),
    Scenario("condition", condition, {"threshold": 3}, result=3),
    Scenario("large_child", large_child, {"size": 300_000, "seconds": WAIT}, result=300_000),
    Scenario("nothing", nothing('"done"'), result="done"),
    Scenario("handler_fails", handler_fails, status="FAILED"),
    # The Python SDK 1.x does not notice that a wait became a step.
    Scenario(
        "nondeterministic",
        nondeterministic,
        {"seconds": WAIT},
        status="FAILED",
        languages=("python", "javascript"),
    ),
    Scenario("crash_always", crash_always, status="FAILED"),
    Scenario(
        "invocation_error_once",
        invocation_error_once,
        result="recovered",
        languages=("python", "python1"),
    ),
]

ALL = [
    pytest.param(language, scenario, id=f"{language}-{scenario.name}")
    for scenario in SCENARIOS
    for language in scenario.languages
]


@pytest.mark.parametrize(("language", "scenario"), ALL)
def test_history_is_as_expected(
    language: str, scenario: Scenario, client: Any, own_server: Callable[..., EverstepServer], tmp_path: Path
):
    function = f"{language}-durable"
    if scenario.jumps:
        movable = own_server(function, arguments=("--movable-clock",))
        client = movable.client()
    payload = {"case": scenario.name, **scenario.input}
    if scenario.name != "step":  # E1 is checked to the last byte of its input.
        payload["board"] = board(tmp_path)
    arn = start(client, function, payload)
    for _ in range(scenario.jumps):
        CommandLine(movable)("dev", "clock", "next")
    execution = ended(client, arn)
    symbols = check_history(read_history(client, arn), scenario.history(language))
    assert execution["Status"] == scenario.status
    assert "EndTimestamp" in execution
    assert arn.rpartition("/")[2] not in symbols.values()
    if scenario.status == "SUCCEEDED":
        assert json.loads(execution["Result"]) == scenario.result
        assert "Error" not in execution
    else:
        assert execution["Error"] == read_history(client, arn)[-1]["ExecutionFailedDetails"]["Error"]["Payload"]
        assert "Result" not in execution


@dataclass(frozen=True)
class Call:
    """A chained invoke: whom, with what, what comes of it; the last two events but for the caller's end."""

    target: str
    payload: Any
    outcome: str
    details: dict[str, Any]
    durable: bool = True
    stop: bool = False


CALLS = {
    "durable": Call("durable:$LATEST", {"case": "target", "value": 7}, "Succeeded", {"Result": {"Payload": "7"}}),
    "durable-fails": Call(
        "durable:$LATEST",
        {"case": "target", "error": "target broke"},
        "Failed",
        {"Error": {"Payload": {"ErrorMessage": "target broke", "ErrorType": ANY}}},
    ),
    "durable-times-out": Call(
        "expiring:$LATEST",
        {"case": "endless_target"},
        "TimedOut",
        {"Error": {"Payload": {"ErrorType": "ChainedInvoke.Timeout", "ErrorMessage": ANY}}},
    ),
    "durable-is-stopped": Call(
        "durable:$LATEST",
        {"case": "endless_target"},
        "Stopped",
        {"Error": {"Payload": {"ErrorType": "Halt", "ErrorMessage": "stop it"}}},
        stop=True,
    ),
    "plain": Call("plain", {"do": "sleep", "seconds": 2, "value": 7}, "Succeeded", {"Result": {"Payload": "7"}}, False),
    "plain-fails": Call(
        "plain", {"do": "fail"}, "Failed", {"Error": {"Payload": {"ErrorMessage": "plain broke"}}}, False
    ),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", CALLS)
def test_chained_invoke_is_recorded(language: str, name: str, client: Any, server: EverstepServer):
    call = CALLS[name]
    target = function_arn(f"{language}-{call.target}")
    payload = call.payload
    arn = start(client, f"{language}-durable", {"case": "invoke", "target": target, "payload": payload})
    started_event = events_of(client, arn, "ChainedInvokeStarted")[0]["ChainedInvokeStartedDetails"]
    if call.stop:
        events_of(client, arn, "InvocationCompleted")
        client.stop_durable_execution(
            DurableExecutionArn=started_event["DurableExecutionArn"],
            Error={"ErrorType": "Halt", "ErrorMessage": "stop it"},
        )
    execution = ended(client, arn)
    started: dict[str, Any] = {
        "FunctionName": target,
        "Input": {"Payload": ANY, "Truncated": False},
        "ExecutedVersion": "$LATEST",
        "DurableExecutionArn": ANY if call.durable else None,
    }
    if call.outcome == "Succeeded":
        end = [invocation_completed(), execution_succeeded("7")]
    else:
        end = [invocation_completed(error=ANY), execution_failed()]
    first = invocation_completed()
    ended_event = invoke_ended(call.outcome, "I", "call", **call.details)
    # A plain target that fails at once may do so before its caller has suspended.
    middle = [Interleaved([first], [ended_event])] if name == "plain-fails" else [first, ended_event]
    events = read_history(client, arn)
    check_history(events, [execution_started(), invoke_started("I", "call", **started), *middle, *end])
    assert json.loads(started_event["Input"]["Payload"]) == payload
    if call.outcome == "Succeeded":
        assert json.loads(execution["Result"]) == 7
    if call.durable:
        child_execution = client.get_durable_execution(DurableExecutionArn=started_event["DurableExecutionArn"])
        status = {"Succeeded": "SUCCEEDED", "Failed": "FAILED", "TimedOut": "TIMED_OUT", "Stopped": "STOPPED"}
        assert child_execution["Status"] == status[call.outcome]
