"""The quick start does what it says: its files are written, its commands are run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from everstep_server import BINARY, EverstepServer
from packages import REPOSITORY

FILE = re.compile(r"`([\w.]+)`:\n\n```\w+\n(.*?)```", re.DOTALL)
COMMANDS = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def test_quick_start_runs_as_written(server: EverstepServer, tmp_path: Path):
    text = (REPOSITORY / "docs" / "quick-start.md").read_text()
    files = FILE.findall(text)
    assert [name for name, _ in files] == ["app.py", "index.mjs"]
    for name, content in files:
        (tmp_path / name).write_text(content)
    path = [Path(sys.executable).parent, BINARY.parent, os.environ["PATH"]]
    environment = {
        **os.environ,
        **server.environment(),
        "EVERSTEP_DATA": str(server.data),
        "PATH": ":".join(map(str, path)),
    }
    for commands in COMMANDS.findall(text):
        done = subprocess.run(
            ["bash", "-euc", commands],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        if "executions show" in commands:
            assert "cooling-off" in done.stdout, done.stdout
    for result in ("result.json", "result-js.json"):
        assert "charged 42 EUR" in (tmp_path / result).read_text()


@pytest.mark.parametrize(
    ("page", "result", "expected"),
    [("deploying.md", "greeting.json", '"welcome"'), ("artifacts.md", "result.json", '"from a bucket"')],
)
def test_page_runs_as_written(server: EverstepServer, tmp_path: Path, page: str, result: str, expected: str):
    text = (REPOSITORY / "docs" / page).read_text()
    for name, content in FILE.findall(text):
        (tmp_path / name).write_text(content)
    path = [Path(sys.executable).parent, BINARY.parent, os.environ["PATH"]]
    environment = {**os.environ, **server.environment(), "PATH": ":".join(map(str, path))}
    for commands in COMMANDS.findall(text):
        done = subprocess.run(
            ["bash", "-euc", commands],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / result).read_text() == expected


def test_iam_page_runs_as_written(server: EverstepServer, tmp_path: Path):
    text = (REPOSITORY / "docs" / "iam.md").read_text()
    path = [Path(sys.executable).parent, BINARY.parent, os.environ["PATH"]]
    environment = {**os.environ, **server.environment(), "PATH": ":".join(map(str, path))}
    printed = ""
    for commands in COMMANDS.findall(text):
        done = subprocess.run(
            ["bash", "-euc", commands],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        printed += done.stdout
    assert "arn:aws:iam::123456789012:role/everstep" in printed
    assert printed.endswith("EUR\n")
