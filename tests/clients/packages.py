"""Builds what the tests deploy and run, below `target/clients`; anything already built for these versions is kept.

Run it as a program to build everything with a line of progress for each thing; the tests call it too.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FUNCTIONS = REPOSITORY / "tests" / "functions"
BUILT = REPOSITORY / "target" / "clients"
BINARY = Path(os.environ.get("EVERSTEP_BINARY", REPOSITORY / "target" / "debug" / "everstep"))
RUNTIMES = Path(os.environ.get("EVERSTEP_RUNTIMES", REPOSITORY / "target" / "test-runtimes"))

PYTHON_SDK = "aws-durable-execution-sdk-python"
PYTHON_SDK_VERSIONS = {"python": "3.0.0", "python1": "1.7.0"}
JAVASCRIPT_SDK = [
    f"@aws-sdk/{name}@3.1164.0" for name in ("client-lambda", "client-s3", "lib-storage", "s3-request-presigner")
]
NODE_MAJOR = 22
DYNALITE = "dynalite@4.0.0"

TESTED_RUNTIMES = ("python3.11", "python3.13", "python3.14", "nodejs22.x", "nodejs24.x", "provided.al2023")
"""Those on which the same durable function is run."""

JAVA = "java17"

CARGO = {
    "CARGO_TARGET_DIR": str(REPOSITORY / "target" / "examples"),
    "CARGO_INCREMENTAL": "0",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0",
}
"""How cargo builds examples for tests: with one another's dependencies, and without taking pains."""


def python_package(name: str) -> Path:
    """Build the code package of the Python functions with one version of the SDK.

    boto3 is not in it: as on AWS, the runtime brings it.
    """
    requirement = f"{PYTHON_SDK}=={PYTHON_SDK_VERSIONS[name]}"

    def install(directory: Path) -> None:
        pip_install(directory, "--no-deps", requirement)

    site = once(BUILT / f"functions-{name}", requirement, f"installing {requirement}", install)
    return package(name, [(FUNCTIONS / "python", "*.py"), (site, "**/*")])


def javascript_package() -> Path:
    """Build the code package of the JavaScript functions with the SDK and all that it needs."""
    manifest = FUNCTIONS / "javascript" / "package.json"

    def install(directory: Path) -> None:
        shutil.copy(manifest, directory)
        npm_install(directory)

    modules = once(BUILT / "functions-javascript", manifest.read_text(), "installing the JavaScript SDK", install)
    return package("javascript", [(FUNCTIONS / "javascript", "*.mjs"), (modules, "**/*")])


def build_rust(project: Path) -> None:
    """Build an example in Rust, with the versions that the workspace has tried."""
    lock = project / "Cargo.lock"
    if not lock.exists():
        shutil.copy(REPOSITORY / "Cargo.lock", lock)
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=project, env=os.environ | CARGO, check=True)


def javascript_plain_package() -> Path:
    """Build a code package without `node_modules`: the AWS SDK must come from the runtime."""
    return package("javascript-plain", [(FUNCTIONS / "javascript", "plain.mjs")])


def provided_package() -> Path:
    """Build the code package of a custom runtime, with the part of boto3 that it needs."""
    requirement = "boto3==" + importlib.metadata.version("boto3")

    def install(directory: Path) -> None:
        pip_install(directory, requirement)
        for service in (directory / "botocore" / "data").iterdir():
            if service.is_dir() and service.name != "lambda":
                shutil.rmtree(service)

    site = once(BUILT / "functions-provided", requirement, f"installing {requirement}", install)
    return package("provided", [(FUNCTIONS / "provided", "bootstrap"), (site, "**/*")])


def rust_package(example: str) -> Path:
    """Build a code package of an example of the Rust SDK, which cargo built with the server."""
    stage = BUILT / f"example-{example}"
    stage.mkdir(parents=True, exist_ok=True)
    binary = BINARY.parent / "examples" / example
    run(["strip", "--strip-debug", "-o", str(stage / "bootstrap"), str(binary)])
    return package(f"example-{example}", [(stage, "bootstrap")])


def native_package(runtime: str) -> Path:
    """Build a code package with compiled code for a version of Python."""
    requirement = "pydantic-core==2.41.5"
    version = runtime.removeprefix("python")

    def install(directory: Path) -> None:
        pip_install(directory, "--only-binary=:all:", "--python-version", version, requirement)

    name = f"native-{runtime}"
    site = once(BUILT / f"functions-{name}", requirement, f"installing {requirement} for {runtime}", install)
    return package(name, [(FUNCTIONS / "native", "*.py"), (site, "**/*")])


def runtimes() -> None:
    """Install every interpreter that the tests run functions on, as an operator would."""
    install = [str(BINARY), "runtimes", "install", *TESTED_RUNTIMES, JAVA, "--runtimes", str(RUNTIMES)]
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL)


def javascript_client() -> Path:
    """Install the AWS SDK for JavaScript for the tests' own use; return the directory."""

    def install(directory: Path) -> None:
        (directory / "package.json").write_text('{"private": true, "type": "module"}')
        npm_install(directory, *JAVASCRIPT_SDK)

    stamp = " ".join(JAVASCRIPT_SDK)
    return once(BUILT / "javascript-client", stamp, "installing the AWS SDK for JavaScript", install)


def node() -> str:
    """Return a Node.js that the AWS SDK for JavaScript runs on: the machine's, else one from npm."""
    found = shutil.which("node")
    if found is not None:
        version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
        if int(version.stdout.lstrip("v").split(".")[0]) >= NODE_MAJOR:
            return found
    machine = {"x86_64": "x64", "aarch64": "arm64"}[os.uname().machine]
    requirement = f"node-linux-{machine}@{NODE_MAJOR}"

    def install(directory: Path) -> None:
        (directory / "package.json").write_text('{"private": true}')
        npm_install(directory, requirement)

    directory = once(BUILT / "node", requirement, f"installing Node.js {NODE_MAJOR}", install)
    return str(directory / "node_modules" / f"node-linux-{machine}" / "bin" / "node")


def dynalite() -> Path:
    """Install what the stand-in for DynamoDB is made of; return the directory."""

    def install(directory: Path) -> None:
        (directory / "package.json").write_text('{"private": true}')
        npm_install(directory, DYNALITE)

    return once(BUILT / "dynalite", DYNALITE, f"installing {DYNALITE}", install)


def all_packages() -> dict[str, Path]:
    """Build every code package; return them by name."""
    packages = {name: python_package(name) for name in PYTHON_SDK_VERSIONS}
    return packages | {
        "javascript": javascript_package(),
        "javascript-plain": javascript_plain_package(),
        "provided": provided_package(),
    }


def pip_install(directory: Path, *arguments: str) -> None:
    """Run `pip install` into a directory."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    run([*pip, "--target", str(directory), *arguments])


def npm_install(directory: Path, *packages: str) -> None:
    """Run `npm install` in a directory; scripts of packages are not run.

    `--force`, because the durable SDK declares Node.js 22, which the machine's npm need not run on.
    """
    flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--force"]
    run(["npm", "install", *flags, *packages], directory)


def run(command: list[str], directory: Path | None = None) -> None:
    """Run a command; if it fails, say what it said."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"`{' '.join(command)}` failed:\n{done.stdout}{done.stderr}")


def once(directory: Path, stamp: str, what: str, install: Callable[[Path], None]) -> Path:
    """Make a directory anew unless it was made for the same stamp; return it."""
    stamp = hashlib.sha256(stamp.encode()).hexdigest()
    stamp_file = directory / ".stamp"
    if not stamp_file.is_file() or stamp_file.read_text() != stamp:
        print(f"{what} …", flush=True)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        install(directory)
        stamp_file.write_text(stamp)
    return directory


def package(name: str, sources: Iterable[tuple[Path, str]]) -> Path:
    """Zip files, each below its own root, unless the zip is newer than all of them."""
    target = BUILT / f"{name}.zip"
    files = sorted(
        (file, file.relative_to(root))
        for root, pattern in sources
        for file in root.glob(pattern)
        if file.is_file() and "__pycache__" not in file.parts and file.suffix not in {".map", ".ts"}
    )
    listing = json.dumps([(str(inner), file.stat().st_mtime_ns) for file, inner in files])
    stamp = hashlib.sha256(listing.encode()).hexdigest()
    stamp_file = target.with_suffix(".stamp")
    if not target.is_file() or not stamp_file.is_file() or stamp_file.read_text() != stamp:
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for file, inner in files:
                archive.write(file, str(inner))
        stamp_file.write_text(stamp)
    return target


if __name__ == "__main__":
    runtimes()
    all_packages()
    javascript_client()
    node()
    dynalite()
