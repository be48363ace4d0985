"""What a run needs and the machine has not: installed below `target/`, once for each version."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import packages

RUNNER = "aws-durable-execution-conformance-tests==1.0.0"
ESBUILD = "esbuild@0.28.2"

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


def core_requirements() -> list[Path]:
    """Return where the requirements lie that come with AWS's runner and what belongs to it, a directory for each suite."""
    return sorted(site_packages(runner()).glob("aws_*_conformance_tests/test_requirements"))


def site_packages(python: Path) -> Path:
    """Return where the packages of a virtual environment's Python lie."""
    [directory] = python.parents[1].glob("lib/python3.*/site-packages")
    return directory


def node_modules(name: str, *requirements: str, manifest: Path | None = None) -> Path:
    """Install packages from npm, and those of a manifest; return the directory that has `node_modules`."""

    def install(directory: Path) -> None:
        text = '{"private": true}' if manifest is None else manifest.read_text()
        (directory / "package.json").write_text(text)
        packages.npm_install(directory, *requirements)

    stamp = " ".join(requirements) + ("" if manifest is None else manifest.read_text())
    return packages.once(INSTALLED / name, stamp, f"installing {name} from npm", install)


def _venv(directory: Path, *requirements: str) -> None:
    packages.run([sys.executable, "-m", "venv", "--clear", str(directory)])
    _pip(directory, *requirements)


def _pip(directory: Path, *arguments: str) -> None:
    pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    packages.run([*pip, *arguments])
