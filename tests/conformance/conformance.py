"""Runs AWS's conformance runner on handlers in each language, and prints the totals; `cargo xtask conformance`.

A fresh server, the runner and the SAM CLI as they are on PyPI, and SAM templates: the same steps that one takes on AWS,
with another endpoint. Functions that need DynamoDB get a stand-in for it, which the server forwards to.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))

import dynamodb_server
import handlers
import packages
import runner
import tools
from everstep_server import EverstepServer

SUITES_AT_ONCE = 3
PROCESSES = 32


def main() -> int:
    """Run what was asked for; return the exit code."""
    arguments = _arguments()
    if arguments.in_process:
        return in_process()
    outcomes: list[runner.Outcome] = []
    with serving() as server:
        for language in arguments.language:
            started = time.monotonic()
            for outcome in run_language(server, language, arguments.handlers, arguments.suite):
                print(f"{language} {outcome.suite}: {_sentence(outcome)}", flush=True)
                outcomes.append(outcome)
            print(f"{language}: {time.monotonic() - started:.0f} s", flush=True)
    _print_table(outcomes)
    _print_reasons(outcomes)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([vars(outcome) for outcome in outcomes], indent=2))
    return 1 if not outcomes or any(outcome.failed for outcome in outcomes) else 0


@contextmanager
def serving() -> Iterator[EverstepServer]:
    """Run a fresh server, and the stand-in for DynamoDB that it forwards to."""
    with ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="everstep-conformance-", ignore_cleanup_errors=True)
        directory = Path(stack.enter_context(temporary))
        url = stack.enter_context(dynamodb_server.running(directory / "dynamodb.log"))
        settings = directory / "everstep.toml"
        settings.write_text(dynamodb_server.forwarded(url, directory / "keys"))
        arguments = ("--processes", str(PROCESSES), "--config", str(settings))
        yield stack.enter_context(EverstepServer(directory / "data", *arguments))


def run_language(
    server: EverstepServer, language: str, directory: Path | None, wanted: list[str]
) -> Iterator[runner.Outcome]:
    """Run the suites of one language, several at once; yield what came of each as soon as it is known."""
    try:
        templates = handlers.prepared(language, directory)
    except handlers.Unbuildable as error:
        yield runner.Outcome(language, "all", error=str(error))
        return
    there, known = handlers.suites(templates), runner.suites()
    suites = [suite for suite in there if suite in known]
    if unknown := set(wanted) - set(suites):
        sys.exit(f"no suite `{unknown.pop()}` in {language}: there are {', '.join(suites)}")
    if not wanted:
        for suite in sorted(set(there) - known):
            print(f"{language} {suite}: not run, {tools.RUNNER} has no requirements for it", flush=True)
    suites = [suite for suite in suites if not wanted or suite in wanted]

    def run(suite: str) -> runner.Outcome:
        template = templates / f"template_{suite}.yaml"
        return runner.run(server, language, suite, template, tools.INSTALLED / "runs" / f"{language}-{suite}")

    # The first one makes the bucket that `sam deploy` keeps for all.
    yield from map(run, suites[:1])
    with ThreadPoolExecutor(SUITES_AT_ONCE) as pool:
        for done in as_completed([pool.submit(run, suite) for suite in suites[1:]]):
            yield done.result()


def in_process() -> int:
    """Run the handlers in Rust by the SDK's test kit: the same requirements, without a server."""
    requirements = [*tools.core_requirements(), tools.REQUIREMENTS / "everstep_requirements"]
    environment = os.environ | {"EVERSTEP_REQUIREMENTS": os.pathsep.join(map(str, requirements))}
    # Of the whole workspace, as all tests are built: another choice of packages compiles every crate again.
    build = ["--quiet", "--workspace", "--test", "requirements"]
    command = [os.environ.get("CARGO", "cargo"), "test", *build, "--", "--ignored", "--nocapture"]
    return subprocess.run(command, cwd=packages.REPOSITORY, env=environment, check=False).returncode


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cargo xtask conformance", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--language", choices=handlers.LANGUAGES, action="append", help="only this language")
    parser.add_argument("--suite", action="append", default=[], help="only this suite")
    parser.add_argument("--handlers", type=Path, metavar="DIR", help="run the templates of this directory instead")
    parser.add_argument("--in-process", action="store_true", help="run ours in Rust by the test kit instead")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results to a file too")
    arguments = parser.parse_args()
    if arguments.handlers is not None:
        if arguments.language is None or len(arguments.language) != 1:
            parser.error("`--handlers` needs one `--language`")
        arguments.handlers = arguments.handlers.resolve()
    ours = [name for name in handlers.LANGUAGES if Path(__file__).with_name(name).is_dir()]
    arguments.language = arguments.language or [name for name in ours if name not in handlers.ON_REQUEST]
    if arguments.handlers is None and (missing := set(arguments.language) - set(ours)):
        parser.error(f"there are no handlers in {missing.pop()} here: name some with `--handlers`")
    return arguments


def _sentence(outcome: runner.Outcome) -> str:
    if outcome.error is not None:
        return outcome.error
    passed, failed = outcome.count("PASSED"), outcome.count("FAILED", "OPTIONAL_FAILED")
    return f"{passed} passed" + (f", {failed} FAILED" if failed else "")


def _print_table(outcomes: list[runner.Outcome]) -> None:
    print(f"\n{'language':12}{'suite':20}{'passed':>8}{'failed':>8}{'not covered':>13}")
    for language in dict.fromkeys(outcome.language for outcome in outcomes):
        of_language = sorted((outcome for outcome in outcomes if outcome.language == language), key=_by_number)
        totals = [0, 0, 0]
        for outcome in of_language:
            counts = [
                outcome.count("PASSED"),
                outcome.count("FAILED", "OPTIONAL_FAILED"),
                outcome.count("NOT_IMPLEMENTED", "UNCOVERED"),
            ]
            totals = [total + count for total, count in zip(totals, counts, strict=True)]
            row = "     not deployed" if outcome.error else f"{counts[0]:8}{counts[1]:8}{counts[2]:13}"
            print(f"{language:12}{outcome.suite:20}{row}")
        if any(outcome.results for outcome in of_language):
            print(f"{language:12}{'all':20}{totals[0]:8}{totals[1]:8}{totals[2]:13}")


def _print_reasons(outcomes: list[runner.Outcome]) -> None:
    for outcome in outcomes:
        for result in outcome.of("NOT_IMPLEMENTED"):
            print(f"\nnot covered: {outcome.language} {result['id']}: {result['reason']}")
        if uncovered := outcome.of("UNCOVERED"):
            print(f"\nno handler: {outcome.language} {', '.join(result['id'] for result in uncovered)}")
        for result in outcome.of("FAILED", "OPTIONAL_FAILED"):
            what = f"{outcome.language} {result['id']} ({result['function']})"
            print(f"\nFAILED: {what}", *result["errors"], sep="\n    ")
        if outcome.error is not None:
            print(f"\nFAILED: {outcome.language} {outcome.suite}: {outcome.error}")


def _by_number(outcome: runner.Outcome) -> tuple[int, str]:
    return min((int(result["id"].partition("-")[0]) for result in outcome.results), default=99), outcome.suite


if __name__ == "__main__":
    sys.exit(main())
