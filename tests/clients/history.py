"""Compares a history of an execution with an expected one, event by event.

An expected history is data: a list of `Expected`, each an event type with what must be in it. Ids are symbols: the
first event that has a symbol binds it, and every later one must have the same id. `Interleaved` holds several lists
whose events may come in any mixture, each list in its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]

REQUIRED: dict[str, tuple[str, ...]] = {
    "ExecutionStarted": ("Input", "ExecutionTimeout"),
    "ExecutionSucceeded": ("Result",),
    "ExecutionFailed": ("Error",),
    "ExecutionTimedOut": (),
    "ExecutionStopped": ("Error",),
    "ExecutionPaused": ("PauseRequestTimestamp", "ExecutionTimeoutPaused"),
    "ExecutionResumed": ("ResumeRequestTimestamp",),
    "InvocationCompleted": ("StartTimestamp", "EndTimestamp", "RequestId"),
    "ContextStarted": (),
    "ContextSucceeded": ("Result",),
    "ContextFailed": ("Error",),
    "StepStarted": (),
    "StepSucceeded": ("Result", "RetryDetails"),
    "StepFailed": ("Error", "RetryDetails"),
    "WaitStarted": ("Duration", "ScheduledEndTimestamp"),
    "WaitSucceeded": ("Duration",),
    "WaitCancelled": (),
    "CallbackStarted": ("CallbackId",),
    "CallbackSucceeded": ("Result",),
    "CallbackFailed": ("Error",),
    "CallbackTimedOut": ("Error",),
    "ChainedInvokeStarted": ("FunctionName",),
    "ChainedInvokeSucceeded": ("Result",),
    "ChainedInvokeFailed": ("Error",),
    "ChainedInvokeTimedOut": ("Error",),
    "ChainedInvokeStopped": ("Error",),
}
"""The members that the details of each event must have."""

TERMINAL = {f"Execution{end}" for end in ("Succeeded", "Failed", "TimedOut", "Stopped")}

SUB_TYPES = {"Step": "Step", "Wait": "Wait", "Callback": "Callback", "ChainedInvoke": "ChainedInvoke"}
"""The sub-type of an operation whose expectation names none, by the beginning of the event type."""


class _Any:
    """Matches whatever is there."""

    def __repr__(self) -> str:
        return "ANY"


ANY = _Any()


@dataclass(frozen=True)
class Expected:
    """One event: its type, the symbols of its ids, its names, and a part of its details."""

    event_type: str
    id: str | None = None
    name: str | None = None
    parent: str | None = None
    sub_type: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Interleaved:
    """Lists of events that may come in any mixture."""

    chains: tuple[list[Expected], ...]

    def __init__(self, *chains: list[Expected]) -> None:
        """Hold the lists."""
        object.__setattr__(self, "chains", chains)


class Mismatch(AssertionError):
    """An event that is not as expected."""


def read_history(client: Any, arn: str, **arguments: Any) -> list[Event]:
    """Read a whole history, page by page."""
    events: list[Event] = []
    marker: dict[str, str] = {}
    while True:
        page = client.get_durable_execution_history(DurableExecutionArn=arn, **arguments, **marker)
        events += page["Events"]
        if not page.get("NextMarker"):
            return events
        marker = {"Marker": page["NextMarker"]}


def check_invariants(events: Sequence[Event], *, with_data: bool = True) -> None:
    """Check what holds for every history, whatever happened in it."""
    ids: dict[str, tuple[Any, ...]] = {}
    invocations_after_end = 0
    ended: str | None = None
    for number, event in enumerate(events, 1):
        kind = event["EventType"]
        where = f"event {number} ({kind})"
        if event["EventId"] != number:
            raise Mismatch(f"{where}: EventId is {event['EventId']}, they must be dense from 1")
        if number > 1 and event["EventTimestamp"] < events[number - 2]["EventTimestamp"]:
            raise Mismatch(f"{where}: is before the event before it")
        details_names = [name for name in event if name.endswith("Details")]
        if details_names != [f"{kind}Details"]:
            raise Mismatch(f"{where}: must have {kind}Details and no other, has {details_names}")
        details = event[f"{kind}Details"]
        for member in REQUIRED[kind]:
            if member not in details:
                raise Mismatch(f"{where}: {kind}Details lacks {member}")
        for member in ("Input", "Result", "Error", "Reason"):
            if member in details and details[member].get("Truncated") is not (not with_data):
                raise Mismatch(f"{where}: {member}.Truncated is {details[member].get('Truncated')}")
        if (number == 1) is not (kind == "ExecutionStarted"):
            raise Mismatch(f"{where}: ExecutionStarted is the first event and only the first")
        if ended is not None:
            # A running invocation outlives an execution that was ended from outside.
            invocations_after_end += 1
            outside = ended in {"ExecutionStopped", "ExecutionTimedOut"}
            if kind != "InvocationCompleted" or not outside or invocations_after_end > 1:
                raise Mismatch(f"{where}: comes after {ended}")
        if kind in TERMINAL:
            ended = kind
        if kind == "InvocationCompleted":
            if event.keys() & {"Id", "Name", "SubType", "ParentId"}:
                raise Mismatch(f"{where}: belongs to no operation, but has an id or a name")
        else:
            described = tuple(event.get(key) for key in ("Name", "SubType", "ParentId"))
            if ids.setdefault(event["Id"], described) != described:
                raise Mismatch(f"{where}: {described}, earlier {ids[event['Id']]}")
        parent = event.get("ParentId")
        if parent is not None and parent not in ids:
            raise Mismatch(f"{where}: its parent has not started")


def check_history(events: Sequence[Event], expected: Sequence[Expected | Interleaved]) -> dict[str, str]:
    """Check that a history is exactly the expected one; return what the symbols stand for."""
    try:
        check_invariants(events)
        return _match(events, expected)
    except Mismatch as error:
        raise Mismatch(f"{error}\n\nthe history:\n{describe(events)}") from None


def _match(events: Sequence[Event], expected: Sequence[Expected | Interleaved]) -> dict[str, str]:
    symbols: dict[str, str] = {}
    rest = list(events)
    for item in expected:
        chains = [list(chain) for chain in item.chains] if isinstance(item, Interleaved) else [[item]]
        while any(chains):
            heads = [chain for chain in chains if chain]
            if not rest:
                raise Mismatch(f"the history ends before {heads[0][0]}")
            reasons = []
            for chain in heads:
                reason = _difference(rest[0], chain[0], symbols)
                if reason is None:
                    break
                reasons.append(f"event {rest[0]['EventId']}: {reason}; expected {chain[0]}")
            else:
                raise Mismatch("\n".join(reasons))
            _bind(rest.pop(0), chain.pop(0), symbols)
    if rest:
        raise Mismatch(f"event {rest[0]['EventId']} ({rest[0]['EventType']}) is one too many")
    return symbols


def _difference(event: Event, expected: Expected, symbols: dict[str, str]) -> str | None:
    """Say how an event differs from an expectation, or None."""
    kind = event["EventType"]
    if kind != expected.event_type:
        return f"is {kind}"
    for key, symbol in (("Id", expected.id), ("ParentId", expected.parent)):
        if key == "ParentId" and symbol is None and key in event:
            return "has a ParentId"
        if symbol is not None:
            if key not in event:
                return f"has no {key}"
            known = symbols.get(symbol)
            if known is None and event[key] in symbols.values():
                return f"{key} is that of another operation"
            if known is not None and known != event[key]:
                return f"{key} is not that of {symbol}"
    if expected.id is not None:
        if event.get("Name") != expected.name and not (expected.name is ANY and "Name" in event):
            return f"Name is {event.get('Name')!r}"
        beginning = next((prefix for prefix in SUB_TYPES if kind.startswith(prefix)), "")
        sub_type = expected.sub_type or SUB_TYPES.get(beginning)
        if event.get("SubType") != sub_type:
            return f"SubType is {event.get('SubType')!r}"
    return _part(event[f"{kind}Details"], expected.details, f"{kind}Details")


def _part(actual: Any, expected: Any, path: str) -> str | None:
    """Say where an expectation is not a part of a value, or None. A None in it stands for absence."""
    if expected is ANY:
        return None
    if isinstance(expected, dict):
        for key, value in expected.items():
            if value is None:
                if key in actual:
                    return f"{path}.{key} is {actual[key]!r}, must be absent"
            elif key not in actual:
                return f"{path}.{key} is absent"
            elif (reason := _part(actual[key], value, f"{path}.{key}")) is not None:
                return reason
        return None
    return None if actual == expected else f"{path} is {actual!r}, expected {expected!r}"


def _bind(event: Event, expected: Expected, symbols: dict[str, str]) -> None:
    for key, symbol in (("Id", expected.id), ("ParentId", expected.parent)):
        if symbol is not None:
            symbols[symbol] = event[key]


def describe(events: Sequence[Event]) -> str:
    """Return a history for people, one line an event."""
    lines = []
    for event in events:
        kind = event["EventType"]
        parts = [f"{key}={event[key]!r}" for key in ("Name", "SubType", "Id", "ParentId") if key in event]
        text = str(event.get(f"{kind}Details"))
        lines.append(f"{event['EventId']:4} {kind} {' '.join(parts)} {text[:400]}")
    return "\n".join(lines)


# The events, as the expectations write them.


def execution_started(payload: Any = ANY, timeout: Any = ANY) -> Expected:
    """Return ExecutionStarted."""
    details = {"Input": {"Payload": payload}, "ExecutionTimeout": timeout}
    return Expected("ExecutionStarted", details=details)


def execution_succeeded(payload: Any) -> Expected:
    """Return ExecutionSucceeded with a serialised result."""
    return Expected("ExecutionSucceeded", details={"Result": {"Payload": payload}})


def execution_failed(error: Any = ANY) -> Expected:
    """Return ExecutionFailed with a part of the error object."""
    return Expected("ExecutionFailed", details={"Error": {"Payload": error}})


def invocation_completed(error: Any = None) -> Expected:
    """Return InvocationCompleted; with an error only if one is given."""
    expected = None if error is None else {"Payload": error}
    return Expected("InvocationCompleted", details={"RequestId": ANY, "Error": expected})


def step_started(id: str, name: str | None, parent: str | None = None, sub_type: str = "Step") -> Expected:
    """Return StepStarted."""
    return Expected("StepStarted", id, name, parent, sub_type)


def step_succeeded(
    id: str,
    name: str | None,
    payload: Any,
    attempt: int = 1,
    *,
    delay: int | None = None,
    parent: str | None = None,
    sub_type: str = "Step",
) -> Expected:
    """Return StepSucceeded."""
    retry = {"CurrentAttempt": attempt, "NextAttemptDelaySeconds": delay}
    details = {"Result": {"Payload": payload}, "RetryDetails": retry}
    return Expected("StepSucceeded", id, name, parent, sub_type, details)


def step_failed(
    id: str,
    name: str | None,
    error: Any = ANY,
    attempt: int = 1,
    *,
    delay: int | None = None,
    parent: str | None = None,
) -> Expected:
    """Return StepFailed."""
    retry = {"CurrentAttempt": attempt, "NextAttemptDelaySeconds": delay}
    details = {"Error": {"Payload": error}, "RetryDetails": retry}
    return Expected("StepFailed", id, name, parent, "Step", details)


def wait_started(id: str, name: str | None, seconds: int, parent: str | None = None) -> Expected:
    """Return WaitStarted."""
    return Expected("WaitStarted", id, name, parent, "Wait", {"Duration": seconds})


def wait_succeeded(id: str, name: str | None, seconds: int, parent: str | None = None) -> Expected:
    """Return WaitSucceeded."""
    return Expected("WaitSucceeded", id, name, parent, "Wait", {"Duration": seconds})


def callback_started(
    id: str, name: str | None, parent: str | None = None, *, timeout: Any = None, heartbeat: Any = None
) -> Expected:
    """Return CallbackStarted; without timeouts unless they are given."""
    details = {"CallbackId": ANY, "Timeout": timeout, "HeartbeatTimeout": heartbeat}
    return Expected("CallbackStarted", id, name, parent, "Callback", details)


def callback_succeeded(id: str, name: str | None, payload: Any, parent: str | None = None) -> Expected:
    """Return CallbackSucceeded."""
    return Expected("CallbackSucceeded", id, name, parent, "Callback", {"Result": {"Payload": payload}})


def callback_failed(id: str, name: str | None, error: Any, parent: str | None = None) -> Expected:
    """Return CallbackFailed."""
    return Expected("CallbackFailed", id, name, parent, "Callback", {"Error": {"Payload": error}})


def callback_timed_out(id: str, name: str | None, error_type: str) -> Expected:
    """Return CallbackTimedOut."""
    details = {"Error": {"Payload": {"ErrorType": error_type}}}
    return Expected("CallbackTimedOut", id, name, None, "Callback", details)


def context_started(id: str, name: Any, sub_type: str, parent: str | None = None) -> Expected:
    """Return ContextStarted."""
    return Expected("ContextStarted", id, name, parent, sub_type)


def context_succeeded(id: str, name: Any, sub_type: str, payload: Any = ANY, parent: str | None = None) -> Expected:
    """Return ContextSucceeded."""
    return Expected("ContextSucceeded", id, name, parent, sub_type, {"Result": {"Payload": payload}})


def context_failed(id: str, name: Any, sub_type: str, error: Any = ANY, parent: str | None = None) -> Expected:
    """Return ContextFailed."""
    return Expected("ContextFailed", id, name, parent, sub_type, {"Error": {"Payload": error}})


def invoke_started(id: str, name: str | None, **details: Any) -> Expected:
    """Return ChainedInvokeStarted."""
    return Expected("ChainedInvokeStarted", id, name, None, "ChainedInvoke", details)


def invoke_ended(outcome: str, id: str, name: str | None, **details: Any) -> Expected:
    """Return ChainedInvokeSucceeded, …Failed, …TimedOut or …Stopped."""
    return Expected(f"ChainedInvoke{outcome}", id, name, None, "ChainedInvoke", details)
