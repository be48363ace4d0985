"""The processes below the server: none while executions sleep, no more than allowed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from board import board
from everstep_server import EverstepServer, eventually
from executions import call, ended, events_of, lines, start, suspended_callbacks

Start = Callable[..., EverstepServer]


def test_sleeping_executions_need_no_process(own_server: Start):
    server = own_server("python-durable", "javascript-durable", arguments=("--idle-seconds", "1"))
    client = server.client()
    arns = [start(client, f"{name}-durable", {"case": "callback"}) for name in ("python", "javascript") for _ in "123"]
    callbacks = [suspended_callbacks(client, arn)[0] for arn in arns]
    eventually("no process is left", lambda: not server.function_processes())
    assert {client.get_durable_execution(DurableExecutionArn=arn)["Status"] for arn in arns} == {"RUNNING"}
    for callback_id in callbacks:
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"up")
    assert {ended(client, arn)["Result"] for arn in arns} == {'"up"'}
    eventually("no process is left", lambda: not server.function_processes())


def test_processes_are_limited_and_reused(own_server: Start, tmp_path: Path):
    server = own_server("python-durable", arguments=("--processes", "2"))
    client = server.client()
    arns = []
    for number in range(5):
        (tmp_path / str(number)).mkdir()
        payload = {"case": "blocked_step", "board": board(tmp_path / str(number))}
        arns.append(start(client, "python-durable", payload))
    most = 0

    def running() -> int:
        nonlocal most
        most = max(most, len(server.function_processes()))
        return sum("second" in lines(tmp_path / str(number), "runs") for number in range(5))

    eventually("two run", lambda: running() == 2)
    for number in range(5):
        (tmp_path / str(number) / "proceed").touch()
    for arn in arns:
        eventually(
            "it ends",
            lambda arn=arn: (
                running() and client.get_durable_execution(DurableExecutionArn=arn)["Status"] == "SUCCEEDED"
            ),
        )
    assert most <= 2


def test_crashed_process_is_replaced(own_server: Start, tmp_path: Path):
    server = own_server("python-durable", "python-plain")
    client = server.client()
    assert call(client, "python-plain", {"do": "exit"})["FunctionError"] == "Unhandled"
    assert call(client, "python-plain", 1)["Payload"] == 1
    arn = start(client, "python-durable", {"case": "crash_always", "board": board(tmp_path)})
    assert ended(client, arn)["Status"] == "FAILED"
    assert len(lines(tmp_path, "runs")) == len(events_of(client, arn, "InvocationCompleted", 4)) == 4
