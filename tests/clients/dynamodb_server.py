"""A stand-in for DynamoDB, and how a server is told to forward to it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import packages
from everstep_server import ACCOUNT, eventually

KEY = "LOCAL"
"""The access key that it takes."""

PROGRAM = Path(__file__).with_name("javascript") / "dynamodb.cjs"


@contextmanager
def running(log: Path) -> Iterator[str]:
    """Run the stand-in, in memory; yield its URL."""
    modules = packages.dynalite() / "node_modules"
    # Its tables are of the server's account, so that policies which name them by their ARN are about them.
    environment = os.environ | {"AWS_ACCOUNT_ID": ACCOUNT, "NODE_PATH": str(modules)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [packages.node(), str(PROGRAM), KEY], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield eventually("the stand-in for DynamoDB serves", lambda: log.read_text().strip(), interval=0.01)
    finally:
        process.terminate()
        process.wait()


def forwarded(url: str, keys: Path, service: str = "dynamodb") -> str:
    """Write the key that a service is to see; return the lines of the configuration that forward to it."""
    keys.write_text(f"[local]\naws_access_key_id = {KEY}\naws_secret_access_key = any\n")
    settings = {"endpoint": url, "profile": "local", "credentials_file": str(keys)}
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    return "\n".join([f"[forward.{service}]", *lines, ""])
