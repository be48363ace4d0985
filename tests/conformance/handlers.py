"""Where the handlers of a language lie, and how they become what `sam build` takes.

A directory of handlers has a SAM template for each suite, `template_SUITE.yaml`. Ours are built beside the
repository's files, below `target/`; those of others are built where they are, in the way that their directory shows.
Of a whole checkout the directory is found.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import packages
import tools
from everstep_server import BINARY

LANGUAGES = ("python", "javascript", "java", "rust", "rust-aws")

ON_REQUEST = ("rust-aws",)
"""What takes so long to build that it is only run if it is named."""

DEPTHS = ("*", "*/*")
"""How far below the top of a checkout its templates are looked for."""


WAY_OUT = (
    "Name a repository that has it in `~/.m2/settings.xml`, or put it into the local one: AWS's SDK by `mvn install` "
    "in a checkout of https://github.com/aws/aws-durable-execution-sdk-java. Or name other languages with `--language`."
)
"""What to do when Maven cannot fetch what the handlers in Java need."""


class Unbuildable(Exception):
    """Says why the handlers of a language cannot be built here, and how to go on."""


def prepared(language: str, directory: Path | None) -> Path:
    """Build the handlers of a language, or those of a directory; return where their templates lie.

    Raises `Unbuildable` if what they need cannot be had.
    """
    if directory is None:
        return _stage(language)
    found = _with_templates(directory)
    _build_in_place(found)
    return found


def suites(directory: Path) -> list[str]:
    """Return the suites that a directory has templates for."""
    return sorted(file.stem.removeprefix("template_") for file in directory.glob("template_*.yaml"))


def _with_templates(directory: Path) -> Path:
    """Return the directory itself, or the one in a checkout that has templates: AWS keeps it among the packages."""
    if suites(directory):
        return directory
    found = sorted({file.parent for depth in DEPTHS for file in directory.glob(f"{depth}/template_*.yaml")})
    match found:
        case [only]:
            return only
        case []:
            sys.exit(f"no template `template_SUITE.yaml` in {directory} or two levels below it")
        case _:
            sys.exit(f"several directories have templates, name one of them: {', '.join(map(str, found))}")


def _stage(language: str) -> Path:
    source = Path(__file__).with_name(language)
    stage = tools.INSTALLED / f"handlers-{language}"
    shutil.rmtree(stage, ignore_errors=True)
    match language:
        case "python":
            shutil.copytree(_python_packages(source / "code" / "requirements.txt"), stage / "code")
            for file in (source / "code").glob("*.py"):
                shutil.copy(file, stage / "code")
        case "javascript":
            _bundle(source / "code", stage / "code")
        case "java":
            # `sam build` compiles them: here it is only found out whether it can.
            shutil.copytree(source / "code", stage / "code", ignore=shutil.ignore_patterns("target"))
            _fetch(stage / "code")
        case "rust":
            # Cargo built it together with the server.
            _pack(BINARY.with_name("conformance-handlers"), stage)
        case "rust-aws":
            # Beside the repository's own: hundreds of crates that nothing else needs.
            target = tools.INSTALLED / "rust-aws-build"
            cargo = os.environ.get("CARGO", "cargo")
            packages.run([cargo, "build", "--locked", "--target-dir", str(target)], source)
            _pack(target / "debug" / "handlers", stage)
    for template in source.glob("template_*.yaml"):
        shutil.copy(template, stage)
    return stage


def _python_packages(requirements: Path) -> Path:
    """Install what the handlers need; boto3 is not part of it, because the runtime brings it."""

    def install(directory: Path) -> None:
        packages.pip_install(directory, "--no-deps", "--requirement", str(requirements))

    text = requirements.read_text()
    return packages.once(tools.INSTALLED / "python-packages", text, f"installing {text.strip()}", install)


def _bundle(source: Path, target: Path) -> None:
    """Bundle each file that has handlers with all that it needs, but the AWS SDK: the runtime brings it."""
    work = tools.node_modules("javascript-packages", tools.ESBUILD, manifest=source / "package.json")
    for file in source.glob("*.mjs"):
        shutil.copy(file, work)
    entries = [str(work / file.name) for file in source.glob("*.mjs") if file.name != "common.mjs"]
    options = ["--bundle", "--platform=node", "--target=node22", "--format=cjs", "--external:@aws-sdk/*"]
    options += ["--log-level=warning", f"--outdir={target}"]
    packages.run([str(work / "node_modules" / ".bin" / "esbuild"), *entries, *options])


def _fetch(project: Path) -> None:
    """Let Maven fetch what a project needs."""
    if shutil.which("mvn") is None:
        raise Unbuildable("there is no `mvn` in `PATH`: install Maven and a JDK, or name other languages")
    maven = ["mvn", "--batch-mode", "--quiet", "--update-snapshots", "-Dstyle.color=never", "dependency:resolve"]
    done = subprocess.run(maven, cwd=project, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        _, _, said = done.stdout.partition("[ERROR] ")
        reason, _, _ = said.partition(" -> [Help")
        if not reason:
            raise Unbuildable(f"Maven does not run: {done.stderr.strip() or done.stdout.strip()}")
        raise Unbuildable(f"Maven cannot fetch what the handlers need: {reason.strip()}\n{WAY_OUT}")


def _pack(binary: Path, stage: Path) -> None:
    """Pack the binary that all functions share. What only debuggers need stays behind."""
    stage.mkdir(parents=True)
    bootstrap = stage / "bootstrap"
    packages.run(["strip", "--strip-debug", "-o", str(bootstrap), str(binary)])
    with zipfile.ZipFile(stage / "handlers.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(bootstrap, bootstrap.name)


def _build_in_place(directory: Path) -> None:
    script = directory / "scripts" / "build_examples.py"
    manifest = directory / "package.json"
    if script.is_file():
        packages.run([sys.executable, str(script)], directory)
    elif manifest.is_file() and "build" in json.loads(manifest.read_text()).get("scripts", {}):
        packages.run(["npm", "ci", "--no-audit", "--no-fund"], directory)
        packages.run(["npm", "run", "build"], directory)
