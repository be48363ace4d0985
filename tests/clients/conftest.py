"""One server with the functions of `deployment.py` for the whole run, shared by all processes of pytest-xdist."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

import packages
from deployment import deploy
from everstep_server import EverstepServer
from executions import call

SESSION = "EVERSTEP_TEST_SESSION"
"""The environment variable that tells the worker processes where the shared server is."""

_shared: list[tuple[EverstepServer, tempfile.TemporaryDirectory[str]]] = []


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the shared server, in the process that controls the others."""
    if hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    say = session.config.pluginmanager.get_plugin("terminalreporter").write_line
    say("starting everstep and its runtimes; the first time that installs boto3, Node.js and the AWS SDK …")
    packages.all_packages()
    directory = tempfile.TemporaryDirectory(prefix="everstep-clients-", ignore_cleanup_errors=True)
    server = EverstepServer(Path(directory.name) / "data", "--processes", "24")
    _shared.append((server, directory))
    server.start()
    client = server.client(config=Config(read_timeout=600, retries={"total_max_attempts": 1}))
    deploy(client)
    for function in ("python-plain", "bundled-sdk"):
        assert call(client, function, "ready")["Payload"] == "ready"
    os.environ[SESSION] = json.dumps({"data": str(server.data), "url": server.url})


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """Show the log of the shared server if a test failed."""
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        for server, _ in _shared:
            terminalreporter.section("log of the shared server")
            terminalreporter.write_line(server.log_tail())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the shared server."""
    for server, directory in _shared:
        server.stop()
        directory.cleanup()
    _shared.clear()


@pytest.fixture(scope="session")
def server() -> EverstepServer:
    """Return the shared server: for clients of it, not to be stopped."""
    session = json.loads(os.environ[SESSION])
    shared = EverstepServer(Path(session["data"]))
    shared.url = session["url"]
    return shared


@pytest.fixture(scope="session")
def client(server: EverstepServer) -> Any:
    """Return a boto3 Lambda client of the shared server."""
    return server.client()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Callable[..., EverstepServer]]:
    """Return what starts a server for one test, with the functions that it names."""
    with ExitStack() as stack:

        def start(*functions: str, arguments: tuple[str, ...] = ()) -> EverstepServer:
            server = stack.enter_context(EverstepServer(tmp_path / "server" / "data", *arguments))
            deploy(server.client(), functions)
            return server

        yield start
