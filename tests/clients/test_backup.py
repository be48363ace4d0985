"""Backups are made while the server works; what was acknowledged before is in them, and goes on after a restore."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import CommandLine
from everstep_server import EverstepServer
from executions import call, ended, start, suspended_callbacks
from test_layers import zipped


def test_backup_under_load_is_restored_and_goes_on(own_server: Callable[..., EverstepServer], tmp_path: Path):
    server = own_server("python-long", "python-plain")
    client, everstep = server.client(), CommandLine(server)
    layer = client.publish_layer_version(LayerName="notes", Content={"ZipFile": zipped({"notes.txt": "kept"})})
    client.update_function_configuration(FunctionName="python-plain", Layers=[layer["LayerVersionArn"]])
    waiting = start(client, "python-long", {"case": "callback"})
    (callback,) = suspended_callbacks(client, waiting)
    sleeping = [start(client, "python-long", {"case": "step_wait_step", "seconds": 2}) for _ in range(5)]
    acknowledged = [waiting, *sleeping]
    enough, stop = threading.Event(), threading.Event()

    def load() -> None:
        other = server.client()
        while not stop.is_set():
            arn = start(other, "python-long", {"case": "step", "name": "Load"})
            if not enough.is_set():
                acknowledged.append(arn)
            if len(acknowledged) > 15:
                enough.set()

    working = threading.Thread(target=load)
    working.start()
    try:
        enough.wait(60)
        begun_with = list(acknowledged)
        backup = tmp_path / "everstep.tar"
        assert "verified" in everstep("backup", str(backup))
    finally:
        stop.set()
        working.join()
    refused = everstep.error("backup", str(backup))
    assert "is there already" in refused
    server.kill()

    restored = EverstepServer(tmp_path / "restored" / "data")
    again = CommandLine(restored)
    assert "verified" in again("restore", str(backup))
    assert "is not empty" in again.error("restore", str(backup))
    with restored:
        client = restored.client()
        for arn in begun_with:
            assert client.get_durable_execution(DurableExecutionArn=arn)["DurableExecutionArn"] == arn
        client.send_durable_execution_callback_success(CallbackId=callback, Result=b"restored")
        assert ended(client, waiting)["Result"] == '"restored"'
        for arn in sleeping:
            assert ended(client, arn)["Status"] == "SUCCEEDED"
        assert call(client, "python-plain", "with its layer")["Payload"] == "with its layer"
        # The code came along.
        assert call(client, "python-plain", {"a": 1})["Payload"] == {"a": 1}


def test_damaged_backups_leave_nothing_behind(server: EverstepServer, tmp_path: Path):
    everstep = CommandLine(server)
    everstep("backup", str(tmp_path))
    (backup,) = tmp_path.glob("everstep-*.tar")
    whole = backup.read_bytes()
    target = tmp_path / "target" / "data"
    for damaged in (b"nonsense", whole[: len(whole) // 2], whole[:600] + b"damage" + whole[606:]):
        broken = tmp_path / "broken.tar"
        broken.write_bytes(damaged)
        everstep.error("restore", str(broken), "--data", str(target))
        assert list(target.parent.iterdir()) == []
    assert "cannot read" in everstep.error("restore", str(tmp_path / "nothing.tar"), "--data", str(target))


@pytest.fixture(autouse=True)
def space(tmp_path: Path):
    """Give the space of the copies back."""
    yield
    shutil.rmtree(tmp_path / "restored", ignore_errors=True)
