"""What a lost server leaves: nothing that was acknowledged is lost, nothing acknowledged runs again."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

import held
from board import board
from everstep_server import BINARY, RUNTIMES, EverstepServer, eventually, is_alive
from executions import call, ended, events_of, lines, start, suspended_callbacks
from history import (
    ANY,
    callback_started,
    callback_succeeded,
    check_history,
    check_invariants,
    execution_started,
    execution_succeeded,
    invocation_completed,
    read_history,
    step_started,
    step_succeeded,
    wait_started,
    wait_succeeded,
)

Start = Callable[..., EverstepServer]


def test_killed_in_the_middle_of_a_step(own_server: Start, tmp_path: Path):
    server = own_server("python-durable")
    arn = start(server.client(), "python-durable", {"case": "blocked_step", "board": board(tmp_path)})
    eventually("the second step runs", lambda: "second" in lines(tmp_path, "runs"))
    server.restart(kill=True)
    eventually("the second step runs again", lambda: lines(tmp_path, "runs").count("second") == 2)
    (tmp_path / "proceed").touch()
    client = server.client()
    assert json.loads(ended(client, arn)["Result"]) == ["first", "second"]
    assert lines(tmp_path, "runs") == ["first", "second", "second"], "the first step was acknowledged"
    events = read_history(client, arn)
    check_invariants(events)
    kinds = [(event["EventType"], event.get("Name")) for event in events]
    assert kinds.count(("StepSucceeded", "first")) == kinds.count(("StepSucceeded", "second")) == 1
    assert events[-1]["EventType"] == "ExecutionSucceeded"


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "stopped"])
def test_ended_during_a_wait(kill: bool, own_server: Start):
    server = own_server("python-durable")
    arn = start(server.client(), "python-durable", {"case": "step_wait_step", "seconds": 4})
    events_of(server.client(), arn, "InvocationCompleted")
    server.restart(kill=kill)
    client = server.client()
    assert json.loads(ended(client, arn)["Result"]) == ["before", "after"]
    check_history(
        read_history(client, arn),
        [
            execution_started(),
            step_started("A", "before"),
            step_succeeded("A", "before", '"before"'),
            wait_started("W", "pause", 4),
            invocation_completed(),
            wait_succeeded("W", "pause", 4),
            step_started("B", "after"),
            step_succeeded("B", "after", '"after"'),
            invocation_completed(),
            execution_succeeded(ANY),
        ],
    )


def test_wait_that_was_due_while_the_server_was_away_fires_at_once(own_server: Start):
    server = own_server("python-durable")
    arn = start(server.client(), "python-durable", {"case": "wait", "seconds": 1})
    events = events_of(server.client(), arn, "WaitStarted")
    events_of(server.client(), arn, "InvocationCompleted")
    server.kill()
    due = events[0]["WaitStartedDetails"]["ScheduledEndTimestamp"].timestamp()
    eventually("the wait is over", lambda: time.time() > due + 0.5)
    server.start()
    assert ended(server.client(), arn, timeout=30)["Status"] == "SUCCEEDED"


def test_killed_while_a_callback_is_pending(own_server: Start):
    server = own_server("javascript-durable")
    arn = start(server.client(), "javascript-durable", {"case": "callback"})
    [callback_id] = suspended_callbacks(server.client(), arn)
    server.restart(kill=True)
    client = server.client()
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"after all")
    assert json.loads(ended(client, arn)["Result"]) == "after all"
    check_history(
        read_history(client, arn),
        [
            execution_started(),
            callback_started("C", "approval"),
            invocation_completed(),
            callback_succeeded("C", "approval", "after all"),
            invocation_completed(),
            execution_succeeded(ANY),
        ],
    )


def test_acknowledged_completion_survives_a_kill(own_server: Start):
    server = own_server("python-durable")
    arn = start(server.client(), "python-durable", {"case": "callback"})
    [callback_id] = suspended_callbacks(server.client(), arn)
    server.client().send_durable_execution_callback_success(CallbackId=callback_id, Result=b"kept")
    server.restart(kill=True)
    client = server.client()
    assert json.loads(ended(client, arn)["Result"]) == "kept"
    with pytest.raises(client.exceptions.CallbackTimeoutException):
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"again")


def test_acknowledged_start_survives_a_kill(own_server: Start):
    server = own_server("python-durable")
    arns = [start(server.client(), "python-durable", {"case": "nothing"}) for _ in range(5)]
    server.restart(kill=True)
    client = server.client()
    assert [ended(client, arn)["Status"] for arn in arns] == ["SUCCEEDED"] * 5


def test_chained_invoke_survives_a_kill(own_server: Start):
    server = own_server("python-durable", "python-plain")
    for target, payload in (
        ("python-durable:$LATEST", {"case": "target", "value": 7}),
        ("python-plain", {"do": "sleep", "seconds": 2, "value": 7}),
    ):
        arn = start(server.client(), "python-durable", {"case": "invoke", "target": target, "payload": payload})
        events_of(server.client(), arn, "ChainedInvokeStarted")
        server.restart(kill=True)
        client = server.client()
        assert json.loads(ended(client, arn)["Result"]) == 7
        events = read_history(client, arn)
        check_invariants(events)
        kinds = [event["EventType"] for event in events]
        assert kinds.count("ChainedInvokeStarted") == kinds.count("ChainedInvokeSucceeded") == 1


def test_many_kills_do_not_count_as_failures(own_server: Start, tmp_path: Path):
    """More lost invocations than failed ones would be allowed."""
    server = own_server("python-durable")
    arn = start(server.client(), "python-durable", {"case": "blocked_step", "board": board(tmp_path)})
    for count in range(1, 7):
        eventually("the step runs", lambda count=count: lines(tmp_path, "runs").count("second") == count)
        server.restart(kill=True)
    (tmp_path / "proceed").touch()
    assert ended(server.client(), arn)["Status"] == "SUCCEEDED"
    check_invariants(read_history(server.client(), arn))


def test_tokens_after_a_kill(own_server: Start, tmp_path: Path):
    """A repeated checkpoint is answered as before the kill; a new one with an old token is refused."""
    server = own_server("held")
    first = held.begin(server.client(), tmp_path)
    spent = first.token
    response = first.checkpoint(server.client(), held.callback("c"), ClientToken="same")
    current = first.token
    server.restart(kill=True)
    client = server.client()
    first.token = spent
    again = first.checkpoint(client, held.callback("c"), ClientToken="same")
    assert again["CheckpointToken"] == response["CheckpointToken"]
    assert again["NewExecutionState"] == response["NewExecutionState"]
    for token in (spent, current):
        first.token = token
        with pytest.raises(ClientError, match="Invalid checkpoint token"):
            first.checkpoint(client, held.step("late", "START"), ClientToken="other")
    second = held.invocation(first.arn, tmp_path, 2)
    assert [operation["Id"] for operation in second.operations()][1:] == ["c"]
    second.checkpoint(client, held.step("s", "START"), held.step("s", "SUCCEED", Payload="1"))
    second.respond(held.DONE)
    first.respond(held.DONE)  # To whom it may concern: this invocation is lost.
    assert ended(client, first.arn)["Status"] == "SUCCEEDED"
    kinds = [event["EventType"] for event in read_history(client, first.arn)]
    assert kinds.count("CallbackStarted") == 1


def test_idle_functions_end_with_a_killed_server(own_server: Start):
    server = own_server("python-durable", "javascript-durable")
    client = server.client()
    for function in ("python-durable", "javascript-durable"):
        ended(client, start(client, function, {"case": "nothing"}))
    left = server.kill()
    assert len(left) == 2
    eventually("the functions end", lambda: not any(map(is_alive, left)), timeout=20)


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_function_of_a_killed_server_changes_nothing(language: str, own_server: Start, tmp_path: Path):
    """Should it still run, its checkpoint comes too late: another invocation has the token."""
    server = own_server(f"{language}-durable")
    arn = start(server.client(), f"{language}-durable", {"case": "blocked_step", "board": board(tmp_path)})
    eventually("the second step runs", lambda: "second" in lines(tmp_path, "runs"))
    left = server.kill()
    server.start()
    eventually("the second step runs again", lambda: lines(tmp_path, "runs").count("second") == 2)
    (tmp_path / "proceed").touch()
    client = server.client()
    assert json.loads(ended(client, arn)["Result"]) == ["first", "second"]
    eventually("what was left ends", lambda: not any(map(is_alive, left)), timeout=120)
    assert [event["EventType"] for event in read_history(client, arn)].count("InvocationCompleted") <= 2
    check_invariants(read_history(client, arn))


def test_everything_created_is_there_after_a_kill(own_server: Start):
    server = own_server("python-plain")
    client = server.client()
    client.publish_version(FunctionName="python-plain")
    client.create_alias(FunctionName="python-plain", Name="live", FunctionVersion="1")
    before = client.get_function_configuration(FunctionName="python-plain")
    credentials = server.credentials()
    server.restart(kill=True)
    client = server.client()
    assert server.credentials() == credentials
    after = client.get_function_configuration(FunctionName="python-plain")
    assert {k: v for k, v in after.items() if k != "ResponseMetadata"} == {
        k: v for k, v in before.items() if k != "ResponseMetadata"
    }
    assert call(client, "python-plain", {"a": 1}, Qualifier="live")["Payload"] == {"a": 1}


def test_two_servers_do_not_share_a_data_directory(own_server: Start):
    server = own_server()
    command = [str(BINARY), "serve", "--data", str(server.data), "--listen", "127.0.0.1:0"]
    rival = subprocess.run(
        [*command, "--runtimes", str(RUNTIMES)], capture_output=True, text=True, timeout=60, check=False
    )
    assert rival.returncode != 0
    assert str(server.data) in rival.stderr
    assert server.client().list_functions()["Functions"] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_server_cleanly(number: signal.Signals, own_server: Start, tmp_path: Path):
    server = own_server("python-durable")
    start(server.client(), "python-durable", {"case": "blocked_step", "board": board(tmp_path)})
    eventually("the second step runs", lambda: "second" in lines(tmp_path, "runs"))
    processes, process = server.function_processes(), server.process
    assert process is not None
    process.send_signal(number)
    assert process.wait(30) == 0
    eventually("the functions end", lambda: not any(map(is_alive, processes)))


def test_stored_logs_replay_to_the_stored_state(own_server: Start, tmp_path: Path):
    server = own_server("python-durable", "python-plain")
    client = server.client()
    for payload in (
        {"case": "child_nested"},
        {"case": "condition", "threshold": 2},
        {"case": "invoke", "target": "python-plain", "payload": 1},
        {"case": "handler_fails"},
    ):
        ended(client, start(client, "python-durable", payload))
    start(client, "python-durable", {"case": "callback"})
    server.kill()
    command = [str(BINARY), "verify", "--data", str(server.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 executions" in done.stdout


def test_verify_needs_the_data_directory_for_itself(own_server: Start):
    server = own_server()
    command = [str(BINARY), "verify", "--data", str(server.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
