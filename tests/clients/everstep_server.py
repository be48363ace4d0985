"""Runs the `everstep` binary for tests: starts it, waits until it serves, stops, kills and restarts it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import boto3
from botocore.config import Config

from packages import BINARY, RUNTIMES

REGION = "us-east-1"
ACCOUNT = "123456789012"
READY = "everstep is listening on "

T = TypeVar("T")


def eventually(what: str, condition: Callable[[], T | None], timeout: float = 60, interval: float = 0.05) -> T:
    """Poll until the condition returns something true; return it."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout} s")
        time.sleep(interval)


class EverstepServer:
    """A server on one data directory, over any number of starts; it keeps its port."""

    def __init__(self, data: Path, *arguments: str) -> None:
        """Prepare a server; `start` starts it."""
        self.data = data
        self.arguments = list(arguments)
        self.log_file = data.with_name(data.name + ".log")
        self.url = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.orphans: set[int] = set()

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server; show its log if something went wrong."""
        ended = None if self.process is None else self.process.poll()
        self.stop()
        for orphan in filter(is_function, self.orphans):
            os.kill(orphan, signal.SIGKILL)
        if ended is not None:
            print(f"the server has ended by itself, with {ended}")
        if error is not None or ended is not None:
            print(f"--- log of the server on {self.data} ---\n{self.log_tail()}")

    def start(self) -> None:
        """Start the process and return once it says that it serves."""
        listen = self.url.rpartition("//")[2] or "127.0.0.1:0"
        command = [str(BINARY), "serve", "--data", str(self.data), "--listen", listen]
        if "--runtimes" not in self.arguments:
            command += ["--runtimes", str(RUNTIMES)]
        command += self.arguments
        self.data.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            offset = log.tell()
            environment = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "EVERSTEP_"))}
            # The output goes to the log too: the ready line is looked for below, from where this start began.
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        process = self.process

        def ready() -> str | None:
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with {process.returncode}:\n{self.log_tail()}")
            with self.log_file.open("rb") as log:
                log.seek(offset)
                lines = log.read().decode(errors="replace").splitlines(keepends=True)
            found = (line for line in lines if line.startswith(READY) and line.endswith("\n"))
            return next(found, None)

        self.url = eventually("the server serves", ready, interval=0.01).removeprefix(READY).strip()

    def stop(self, timeout: float = 30) -> int | None:
        """End the server cleanly by SIGTERM; return its exit code, or None if it did not run."""
        return self._end(signal.SIGTERM, timeout)

    def kill(self) -> list[int]:
        """End the server at once; return the functions that it leaves behind, which may go on until they ask for it.

        The server is halted first, so that it starts no function after they were counted.
        """
        os.kill(self.pid, signal.SIGSTOP)
        left = self.function_processes()
        self.orphans.update(left)
        self._end(signal.SIGKILL, 30)
        return left

    def restart(self, *, kill: bool) -> None:
        """End the server and start it again on the same data."""
        if kill:
            self.kill()
        else:
            self.stop()
        self.start()

    def _end(self, number: int, timeout: float) -> int | None:
        process = self.process
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(f"the server did not end within {timeout} s of signal {number}") from None
        finally:
            self.process = None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self.process is not None, "the server does not run"
        return self.process.pid

    def function_processes(self) -> list[int]:
        """Return the processes below the server: those that run functions."""
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (parent := parent_of(int(entry.name))) is not None:
                children.setdefault(parent, []).append(int(entry.name))
        found, queue = [], [self.pid]
        while queue:
            below = children.get(queue.pop(), [])
            found += below
            queue += below
        return list(filter(is_function, found))

    def credentials(self) -> tuple[str, str]:
        """Return the access key and the secret that the server made."""
        parser = ConfigParser()
        parser.read(self.data / "credentials")
        section = parser["default"]
        return section["aws_access_key_id"], section["aws_secret_access_key"]

    def environment(self) -> dict[str, str]:
        """Return the environment of a client that is to talk to this server and to no other."""
        key, secret = self.credentials()
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        return inherited | {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, *, attempts: int = 1, service: str = "lambda", **overrides: Any) -> Any:
        """Return a boto3 client, of Lambda unless told otherwise; it does not repeat requests unless asked to."""
        key, secret = self.credentials()
        arguments: dict[str, Any] = {
            "endpoint_url": self.url,
            "region_name": REGION,
            "aws_access_key_id": key,
            "aws_secret_access_key": secret,
            "config": Config(retries={"total_max_attempts": attempts}, read_timeout=120, max_pool_connections=64),
        }
        return boto3.session.Session().client(service, **(arguments | overrides))

    def log_tail(self, lines: int = 200) -> str:
        """Return the end of the server's log."""
        if not self.log_file.exists():
            return "(no log)"
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])


def parent_of(pid: int) -> int | None:
    """Return the parent of a process, or None if it is gone or only waits to be reaped."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return None if state in "ZX" else int(parent)


def is_alive(pid: int) -> bool:
    """Say whether a process still runs."""
    return parent_of(pid) is not None


def is_function(pid: int) -> bool:
    """Say whether a process runs and is one of a function; those that start it have no environment."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return is_alive(pid) and b"\0AWS_LAMBDA_FUNCTION_NAME=" in b"\0" + environment


def function_arn(name: str, qualifier: str | None = None) -> str:
    """Return the ARN of a function of the server."""
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    return arn if qualifier is None else f"{arn}:{qualifier}"
