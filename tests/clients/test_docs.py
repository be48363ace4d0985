"""The pages of the book do what they say: their files are written, their commands are run as they stand."""

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
IMPATIENT = Path(__file__).with_name("impatient")


def test_quick_start_runs_as_written(server: EverstepServer, tmp_path: Path):
    shown = [printed for commands, printed in follow("quick-start.md", server, tmp_path) if "executions show" in commands]
    assert shown
    assert all("cooling-off" in printed for printed in shown), shown
    assert {path.name for path in tmp_path.iterdir()} >= {"app.py", "index.mjs"}
    for result in ("result.json", "result-js.json"):
        assert "charged 42 EUR" in (tmp_path / result).read_text()


@pytest.mark.parametrize(
    ("page", "result", "expected"),
    [("deploying.md", "greeting.json", '"welcome"'), ("artifacts.md", "result.json", '"from a bucket"')],
)
def test_page_runs_as_written(server: EverstepServer, tmp_path: Path, page: str, result: str, expected: str):
    follow(page, server, tmp_path)
    assert (tmp_path / result).read_text() == expected


def test_iam_page_runs_as_written(server: EverstepServer, tmp_path: Path):
    printed = "".join(printed for _, printed in follow("iam.md", server, tmp_path))
    assert "arn:aws:iam::123456789012:role/everstep" in printed
    assert printed.endswith("EUR\n")


def follow(page: str, server: EverstepServer, directory: Path) -> list[tuple[str, str]]:
    """Write the files of a page and run its commands; return each with what it printed."""
    text = (REPOSITORY / "docs" / page).read_text()
    for name, content in FILE.findall(text):
        (directory / name).write_text(content)
    path = [Path(sys.executable).parent, BINARY.parent, os.environ["PATH"]]
    environment = {
        **os.environ,
        **server.environment(),
        "EVERSTEP_DATA": str(server.data),
        "PATH": ":".join(map(str, path)),
        "PYTHONPATH": str(IMPATIENT),
    }
    followed = []
    for commands in COMMANDS.findall(text):
        done = subprocess.run(
            ["bash", "-euc", commands],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        followed.append((commands, done.stdout))
    return followed
