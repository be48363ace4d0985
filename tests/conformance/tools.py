"""What a run needs and the machine has not: installed below `target/`, once for each version."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import packages
from everstep_server import ACCOUNT, eventually

RUNNER = "aws-durable-execution-conformance-tests==1.0.0"
ESBUILD = "esbuild@0.28.2"
DYNAMODB = "dynalite@4.0.0"
DYNAMODB_PROGRAM = """
const server = require("dynalite")({ createTableMs: 0 });
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
"""

SAM_CLI = packages.REPOSITORY / "target" / "tools" / "sam" / "bin"
"""Where xtask installs the SAM CLI."""

REQUIREMENTS = Path(__file__).with_name("requirements")
INSTALLED = packages.REPOSITORY / "target" / "conformance"


def runner() -> Path:
    """Install AWS's conformance runner and our additional requirements; return its Python."""

    def install(directory: Path) -> None:
        # The runner asks for a newer Python than it needs.
        _venv(directory, "--ignore-requires-python", RUNNER)
        # A copy, because setuptools builds beside the sources.
        copy = shutil.copytree(REQUIREMENTS, directory / "requirements")
        _pip(directory, "--no-deps", str(copy))

    files = sorted(file for file in REQUIREMENTS.rglob("*") if file.suffix in {".py", ".toml", ".yaml"})
    stamp = "".join([RUNNER, *(file.read_text() for file in files)])
    return packages.once(INSTALLED / "runner", stamp, f"installing {RUNNER}", install) / "bin" / "python"


def node_modules(name: str, *requirements: str, manifest: Path | None = None) -> Path:
    """Install packages from npm, and those of a manifest; return the directory that has `node_modules`."""

    def install(directory: Path) -> None:
        text = '{"private": true}' if manifest is None else manifest.read_text()
        (directory / "package.json").write_text(text)
        packages.npm_install(directory, *requirements)

    stamp = " ".join(requirements) + ("" if manifest is None else manifest.read_text())
    return packages.once(INSTALLED / name, stamp, f"installing {name} from npm", install)


@contextmanager
def dynamodb(log: Path) -> Iterator[str]:
    """Run a stand-in for DynamoDB, in memory; yield its URL."""
    modules = node_modules("dynamodb", DYNAMODB)
    with log.open("wb") as output:
        command = [packages.node(), "--eval", DYNAMODB_PROGRAM]
        # Its tables are of the server's account, so that policies which name them by their ARN are about them.
        environment = os.environ | {"AWS_ACCOUNT_ID": ACCOUNT}
        process = subprocess.Popen(command, cwd=modules, env=environment, stdout=output, stderr=output)
    try:
        yield eventually("the stand-in for DynamoDB serves", lambda: log.read_text().strip())
    finally:
        process.terminate()
        process.wait()


def _venv(directory: Path, *requirements: str) -> None:
    packages.run([sys.executable, "-m", "venv", "--clear", str(directory)])
    _pip(directory, *requirements)


def _pip(directory: Path, *arguments: str) -> None:
    pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    packages.run([*pip, *arguments])
