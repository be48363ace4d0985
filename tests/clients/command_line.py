"""The command line of Everstep, as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from everstep_server import BINARY, EverstepServer


class CommandLine:
    """The binary against one server."""

    def __init__(self, server: EverstepServer, timeout: float = 120) -> None:
        """Prepare it, with the seconds that a command may take; the server need not run yet."""
        self.server = server
        self.timeout = timeout

    def environment(self) -> dict[str, str]:
        """Return what the commands see: the data directory says where the server is, and has the key."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "EVERSTEP_"))}
        return inherited | {"EVERSTEP_DATA": str(self.server.data)}

    def run(self, *arguments: str, stdin: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command, which must end with this exit code."""
        command, environment = [str(BINARY), *arguments], self.environment()
        done = subprocess.run(
            command, env=environment, input=stdin, capture_output=True, text=True, timeout=self.timeout, check=False
        )
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Run a command that must succeed; return what it prints."""
        return self.run(*arguments, stdin=stdin).stdout

    def json(self, *arguments: str) -> Any:
        """Run a command with `--json`; return the document."""
        return json.loads(self(*arguments, "--json"))

    def error(self, *arguments: str, code: int = 1) -> str:
        """Run a command that must fail; return what it says."""
        return self.run(*arguments, code=code).stderr
