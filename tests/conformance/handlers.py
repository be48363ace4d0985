"""Where the handlers of a language lie, and how they become what `sam build` takes.

A directory of handlers has a SAM template for each suite, `template_SUITE.yaml`. Ours are built beside the
repository's files, below `target/`; those of others are built where they are, in the way that their directory shows.
Of a whole checkout the directory is found.
"""

from __future__ import annotations

import json
import os
import shutil
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


def prepared(language: str, directory: Path | None) -> Path:
    """Build the handlers of a language, or those of a directory; return where their templates lie."""
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
        case "rust":
            # Cargo built it together with the server.
            _pack(BINARY.with_name("conformance-handlers"), stage)
        case "rust-aws":
            # Beside the repository's own: hundreds of crates that nothing else needs.
            target = tools.INSTALLED / "rust-aws-build"
            cargo = os.environ.get("CARGO", "cargo")
            packages.run([cargo, "build", "--locked", "--target-dir", str(target)], source)
            _pack(target / "debug" / "handlers", stage)
        case _:
            shutil.copytree(source, stage, ignore=shutil.ignore_patterns("target"))
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
