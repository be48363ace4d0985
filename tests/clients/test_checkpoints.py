"""What no SDK sends: tokens, batches and answers by hand, on real invocations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import held
from board import board
from command_line import CommandLine
from everstep_server import EverstepServer, eventually
from executions import ended, events_of
from history import check_invariants, read_history

STALE = "Invalid checkpoint token"


@pytest.fixture
def strict(server: EverstepServer) -> Any:
    """Return a client that sends whatever it is given, once."""
    return server.client(config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))


def refused(client: Any, *, code: str = "InvalidParameterValueException", match: str = "") -> Any:
    """Expect a checkpoint to be refused."""

    class Refused:
        def __enter__(self) -> None:
            pass

        def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
            assert isinstance(error, ClientError), "it was accepted"
            assert error.response["Error"]["Code"] == code
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
            assert match in error.response["Error"]["Message"]
            return True

    return Refused()


def test_envelope_is_what_the_sdks_read(client: Any, tmp_path: Path):
    first = held.begin(client, tmp_path)
    assert first.envelope.keys() == {
        "DurableExecutionArn",
        "CheckpointToken",
        "InitialExecutionState",
        "UpdatedOperationIds",
    }
    assert first.envelope["DurableExecutionArn"] == first.arn
    assert first.envelope["UpdatedOperationIds"] == []
    [execution] = first.operations()
    assert execution["Id"] == first.arn.rpartition("/")[2]
    assert execution["Name"] == first.arn.split("/")[-2]
    assert (execution["Type"], execution["Status"]) == ("EXECUTION", "STARTED")
    assert json.loads(execution["ExecutionDetails"]["InputPayload"]) == {"board": board(tmp_path)}
    assert isinstance(execution["StartTimestamp"], int)
    assert execution["StartTimestamp"] > 10**12, "milliseconds"
    first.checkpoint(client, held.step("s", "START", Name="a step"), held.step("s", "SUCCEED", Payload="1"))
    first.checkpoint(client, held.wait("w", 1))
    first.respond(held.PENDING)
    second = held.invocation(first.arn, tmp_path, 2)
    assert second.token not in {first.token, first.envelope["CheckpointToken"]}
    assert second.envelope["UpdatedOperationIds"] == ["w"]
    step, wait = second.operations()[1:]
    assert (step["Id"], step["Name"], step["Status"], step["StepDetails"]["Result"]) == (
        "s",
        "a step",
        "SUCCEEDED",
        "1",
    )
    assert step["StepDetails"]["Attempt"] == 1
    assert (wait["Id"], wait["Status"], "Name" in wait) == ("w", "SUCCEEDED", False)
    for value in (step["StartTimestamp"], step["EndTimestamp"], wait["WaitDetails"]["ScheduledEndTimestamp"]):
        assert isinstance(value, int)
    assert "null" not in json.dumps(second.operations()[1:])
    second.respond(held.DONE)
    assert ended(client, first.arn)["Result"] == '"done"'


def test_checkpoint_answers_with_what_changed(client: Any, tmp_path: Path):
    first = held.begin(client, tmp_path)
    response = first.checkpoint(client, held.step("s", "START"), held.callback("c", TimeoutSeconds=60))
    step, callback = response["NewExecutionState"]["Operations"]
    assert (step["Id"], step["Status"], step.get("StepDetails", {}).get("Attempt", 0)) == ("s", "STARTED", 0)
    assert callback["CallbackDetails"]["CallbackId"]
    assert first.checkpoint(client)["NewExecutionState"]["Operations"] == []
    client.send_durable_execution_callback_success(CallbackId=callback["CallbackDetails"]["CallbackId"], Result=b"now")
    [changed] = first.checkpoint(client)["NewExecutionState"]["Operations"]
    assert (changed["Id"], changed["Status"], changed["CallbackDetails"]["Result"]) == (
        "c",
        "SUCCEEDED",
        "now",
    )
    retry = held.step("s", "RETRY", Error={"ErrorMessage": "no"}, StepOptions={"NextAttemptDelaySeconds": 1})
    [pending] = first.checkpoint(client, retry)["NewExecutionState"]["Operations"]
    assert (pending["Status"], pending["StepDetails"]["Attempt"]) == ("PENDING", 1)
    delay = pending["StepDetails"]["NextAttemptTimestamp"] - read_history(client, first.arn)[-1]["EventTimestamp"]
    assert delay.total_seconds() == pytest.approx(1, abs=0.01)

    def ready() -> list[dict[str, Any]]:
        return first.checkpoint(client)["NewExecutionState"]["Operations"]

    [operation] = eventually("the step is ready", ready, interval=0.2)
    assert (operation["Status"], operation["StepDetails"]["Attempt"]) == ("READY", 1)
    assert "NextAttemptTimestamp" not in operation["StepDetails"]
    first.checkpoint(client, held.step("s", "START"), held.step("s", "SUCCEED", Payload="2"))
    first.respond(held.DONE)
    ended(client, first.arn)
    check_invariants(read_history(client, first.arn))


def test_token_is_good_for_one_checkpoint(client: Any, tmp_path: Path):
    first = held.begin(client, tmp_path)
    spent = first.token
    first.checkpoint(client, held.step("a", "START"))
    first.token, current = spent, first.token
    with refused(client, match=STALE):
        first.checkpoint(client, held.step("b", "START"))
    with refused(client, match=STALE):
        client.get_durable_execution_state(DurableExecutionArn=first.arn, CheckpointToken=spent)
    state = client.get_durable_execution_state(DurableExecutionArn=first.arn, CheckpointToken=current)
    assert [operation["Id"] for operation in state["Operations"]][1:] == ["a"]
    first.token = current
    first.checkpoint(client, held.step("b", "START"))
    first.respond(held.DONE)


def test_token_dies_with_its_invocation(client: Any, tmp_path: Path):
    first = held.begin(client, tmp_path)
    first.checkpoint(client, held.wait("w", 1))
    first.respond(held.PENDING)
    second = held.invocation(first.arn, tmp_path, 2)
    with refused(client, match=STALE):
        first.checkpoint(client, held.step("a", "START"))
    second.respond(held.DONE)
    ended(client, first.arn)
    with refused(client, match=STALE):
        second.checkpoint(client, held.step("a", "START"))


def test_token_of_another_execution_is_refused(client: Any, tmp_path: Path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = held.begin(client, tmp_path / "one"), held.begin(client, tmp_path / "two")
    one.token = two.token
    with refused(client):
        one.checkpoint(client, held.step("a", "START"))
    two.checkpoint(client, held.step("a", "START"))
    one.respond(held.DONE)
    two.respond(held.DONE)


@pytest.mark.parametrize("token", ["AAAA", "bm9uc2Vuc2U="])
def test_unknown_token_is_refused(token: str, client: Any, tmp_path: Path):
    first = held.begin(client, tmp_path)
    first.token = token
    with refused(client, match=STALE):
        first.checkpoint(client)
    first.respond(held.DONE)


def test_repeated_checkpoint_is_answered_as_before(client: Any, tmp_path: Path):
    """A lost answer: the same client token with the same, spent checkpoint token."""
    first = held.begin(client, tmp_path)
    spent = first.token
    response = first.checkpoint(client, held.callback("c"), ClientToken="same")
    next_token, first.token = first.token, spent
    again = first.checkpoint(client, held.callback("c"), ClientToken="same")
    assert {k: v for k, v in again.items() if k != "ResponseMetadata"} == {
        k: v for k, v in response.items() if k != "ResponseMetadata"
    }
    first.token = spent
    with refused(client, match=STALE):
        first.checkpoint(client, held.callback("c"), ClientToken="other")
    first.token = next_token
    first.respond({"Status": "SUCCEEDED", "Result": "1"})
    ended(client, first.arn)
    kinds = [event["EventType"] for event in read_history(client, first.arn)]
    assert kinds.count("CallbackStarted") == 1


WRONG_BATCHES: dict[str, tuple[list[dict[str, Any]], str, str]] = {
    "unknown parent": ([held.step("a", "START", ParentId="nobody")], "", "Invalid parent operation id."),
    "retry without delay": (
        [held.step("a", "RETRY", Error={})],
        "",
        "Invalid StepOptions for the given action.",
    ),
    "succeed with error": (
        [held.step("a", "SUCCEED", Error={"ErrorMessage": "x"})],
        "",
        "Cannot provide an Error for SUCCEED action.",
    ),
    "fail with payload": (
        [held.step("a", "FAIL", Payload="1")],
        "",
        "Cannot provide a Payload for FAIL action.",
    ),
    "wait of nothing": ([held.wait("a", 0)], "ValidationException", "waitOptions.waitSeconds"),
    "cancel of a step": ([held.step("a", "CANCEL")], "", "Invalid"),
    "succeed of a wait": (
        [{"Id": "a", "Type": "WAIT", "Action": "SUCCEED"}],
        "",
        "Invalid",
    ),
    "same id twice": ([held.wait("a", 1), held.wait("a", 1)], "", "same"),
    "execution not last": (
        [{"Id": "x", "Type": "EXECUTION", "Action": "SUCCEED", "Payload": "1"}, held.step("a", "START")],
        "",
        "EXECUTION checkpoint must be the last update.",
    ),
    "step output too large": (
        [held.step("a", "SUCCEED", Payload="x" * 262_145)],
        "",
        "STEP output payload size must be less than or equal to 262144 bytes.",
    ),
    "unknown type": ([{"Id": "a", "Type": "SLEEP", "Action": "START"}], "ValidationException", "type"),
    "impossible id": ([held.step("a b", "START")], "ValidationException", "id"),
}


@pytest.mark.parametrize("name", WRONG_BATCHES)
def test_wrong_batch_changes_nothing(name: str, strict: Any, tmp_path: Path):
    updates, code, message = WRONG_BATCHES[name]
    first = held.begin(strict, tmp_path)
    good = held.step("good", "START")
    for batch in ([good, *updates], updates):
        with refused(strict, code=code or "InvalidParameterValueException", match=message):
            first.checkpoint(strict, *batch)
    assert len(read_history(strict, first.arn)) == 1
    first.checkpoint(strict, good)  # The token is not used up by what was refused.
    first.respond(held.DONE)


def test_states_of_a_step_are_kept(client: Any, tmp_path: Path):
    first = held.begin(client, tmp_path)
    first.checkpoint(client, held.step("a", "START"))
    with refused(client, match="Invalid current STEP state to start."):
        first.checkpoint(client, held.step("a", "START"))
    with refused(client, match="Inconsistent operation type."):
        first.checkpoint(client, held.wait("a", 1))
    first.checkpoint(client, held.step("a", "SUCCEED", Payload="1"))
    with refused(client, match="Invalid current STEP state to close."):
        first.checkpoint(client, held.step("a", "FAIL"))
    first.respond(held.DONE)


def test_operations_below_a_closed_context_are_pruned(client: Any, tmp_path: Path):
    first = held.begin(client, tmp_path)
    for outer, replay in (("kept", True), ("pruned", False)):
        inner = f"{outer}-step"
        first.checkpoint(
            client,
            held.context(outer, "START"),
            held.step(inner, "START", ParentId=outer),
            held.step(inner, "SUCCEED", ParentId=outer, Payload="1"),
        )
        first.checkpoint(client, held.context(outer, "SUCCEED", ContextOptions={"ReplayChildren": replay}))
    first.checkpoint(client, held.wait("w", 1))
    first.respond(held.PENDING)
    second = held.invocation(first.arn, tmp_path, 2)
    assert [operation["Id"] for operation in second.operations()][1:] == ["kept", "kept-step", "pruned", "w"]
    second.respond(held.DONE)


def test_execution_may_be_closed_by_a_checkpoint(client: Any, tmp_path: Path):
    first = held.begin(client, tmp_path)
    update = {"Id": "execution-result-1", "Type": "EXECUTION", "Action": "SUCCEED", "Payload": '"large"'}
    response = first.checkpoint(client, update)
    assert "CheckpointToken" not in response
    with refused(client, match=STALE):
        first.checkpoint(client, held.step("a", "START"))
    first.respond({"Status": "SUCCEEDED", "Result": ""})
    eventually("the history ends", lambda: read_history(client, first.arn)[-1]["EventType"] == "ExecutionSucceeded")
    assert ended(client, first.arn)["Result"] == '"large"'
    check_invariants(read_history(client, first.arn))


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ({"Status": "PENDING"}, "Cannot return PENDING status with no pending operations."),
        ({"Status": "DONE"}, "Invalid Status in invocation output."),
        ({"Status": "FAILED", "Result": "1"}, "Cannot provide a Result for FAILED status."),
        (
            {"Status": "SUCCEEDED", "Error": {"ErrorMessage": "x"}},
            "Cannot provide an Error for SUCCEEDED status.",
        ),
        ("text", "Invalid Status in invocation output."),
    ],
)
def test_senseless_answer_is_retried_three_times(response: Any, message: str, client: Any, tmp_path: Path):
    first = held.begin(client, tmp_path)
    first.respond(response)
    for number in (2, 3, 4):
        held.invocation(first.arn, tmp_path, number).respond(response)
    execution = ended(client, first.arn)
    assert execution["Status"] == "FAILED"
    assert execution["Error"] == {"ErrorType": "InvalidParameterValueException", "ErrorMessage": message}
    assert len(events_of(client, first.arn, "InvocationCompleted", 4)) == 4


def test_null_members_of_an_answer_are_absent(client: Any, tmp_path: Path):
    first = held.begin(client, tmp_path)
    first.respond({"Status": "SUCCEEDED", "Result": "1", "Error": None})
    assert ended(client, first.arn)["Result"] == "1"


def test_wait_that_fires_while_the_handler_runs_is_not_lost(client: Any, tmp_path: Path):
    """The handler answers PENDING without having seen that its wait is over."""
    first = held.begin(client, tmp_path)
    first.checkpoint(client, held.wait("w", 1))
    events_of(client, first.arn, "WaitSucceeded")
    first.respond(held.PENDING)
    second = held.invocation(first.arn, tmp_path, 2)
    assert second.envelope["UpdatedOperationIds"] == ["w"]
    second.respond(held.DONE)
    assert ended(client, first.arn)["Status"] == "SUCCEEDED"


def test_stop_takes_the_token(client: Any, tmp_path: Path):
    first = held.begin(client, tmp_path)
    client.stop_durable_execution(DurableExecutionArn=first.arn)
    with refused(client, match=STALE):
        first.checkpoint(client, held.step("a", "START"))
    first.respond(held.DONE)


def test_timeout_takes_the_token(own_server: Callable[..., EverstepServer], tmp_path: Path):
    server = own_server("held", arguments=("--movable-clock",))
    client = server.client()
    first = held.begin(client, tmp_path)
    CommandLine(server)("dev", "clock", "advance", "1h")
    assert ended(client, first.arn)["Status"] == "TIMED_OUT"
    with refused(client, match=STALE):
        first.checkpoint(client, held.step("a", "START"))
    first.respond(held.DONE)
    events_of(client, first.arn, "InvocationCompleted")
    assert client.get_durable_execution(DurableExecutionArn=first.arn)["Status"] == "TIMED_OUT"


def test_pausing_execution_gets_no_token(client: Any, tmp_path: Path):
    first = held.begin(client, tmp_path)
    client.pause_durable_execution(DurableExecutionArn=first.arn)
    response = first.checkpoint(client, held.step("a", "START"), held.step("a", "SUCCEED", Payload="1"))
    assert "CheckpointToken" not in response
    with refused(client, match=STALE):
        first.checkpoint(client, held.step("b", "START"))
    first.respond(held.PENDING)  # Legal though nothing is pending, because the token was withheld.
    events_of(client, first.arn, "InvocationCompleted")
    assert client.get_durable_execution(DurableExecutionArn=first.arn)["Status"] == "PAUSED"
    client.resume_durable_execution(DurableExecutionArn=first.arn)
    second = held.invocation(first.arn, tmp_path, 2)
    assert [operation["Id"] for operation in second.operations()][1:] == ["a"]
    second.respond(held.DONE)
    assert ended(client, first.arn)["Status"] == "SUCCEEDED"


def test_state_is_paged(client: Any, tmp_path: Path):
    first = held.begin(client, tmp_path)
    names = [f"s{number}" for number in range(25)]
    first.checkpoint(client, *(held.step(name, "SUCCEED", Payload="1") for name in names))
    seen: list[str] = []
    marker: dict[str, str] = {}
    while True:
        page = client.get_durable_execution_state(
            DurableExecutionArn=first.arn, CheckpointToken=first.token, MaxItems=10, **marker
        )
        assert len(page["Operations"]) <= 10
        seen += [operation["Id"] for operation in page["Operations"]]
        if not page.get("NextMarker"):
            break
        marker = {"Marker": page["NextMarker"]}
    assert seen == [first.arn.rpartition("/")[2], *names]
    first.respond(held.DONE)


def test_execution_fails_at_the_quota_of_operations(client: Any, tmp_path: Path):
    first = held.begin(client, tmp_path)
    for batch in range(14):
        steps = (held.step(f"s{batch}-{number}", "SUCCEED") for number in range(200))
        assert "CheckpointToken" in first.checkpoint(client, *steps)
    steps = (held.step(f"last-{number}", "SUCCEED") for number in range(200))
    assert "CheckpointToken" not in first.checkpoint(client, *steps), "2,800 are recorded, 3,000 allowed in all"
    first.respond(held.PENDING)
    execution = ended(client, first.arn)
    assert execution["Status"] == "FAILED"
    assert "3000 operations" in execution["Error"]["ErrorMessage"]
    check_invariants(read_history(client, first.arn, MaxItems=1000))
