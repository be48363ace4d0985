"""Kills the server again and again while executions run, and checks at the end that nothing was lost or done twice.

    python tests/chaos/chaos.py --executions 200 --kills 50 [--seed N]

The executions are steps, waits, callbacks that this program answers, chained invokes of durable and plain functions,
and parallel branches. They are started all along while the server is killed by `kill -9` at random moments and started
again on the same data. Then, with the server left alone, they all must end, and this must hold for each of them:

* it SUCCEEDED with the one right result;
* its history obeys the rules of every history: EventIds dense from 1, ids that agree, nothing after the end;
* a step that was acknowledged to the handler is in the history: nothing acknowledged was lost;
* no step began again after its success was recorded: nothing acknowledged was done twice. A function of a killed server
  may live on for a moment; what it starts after the death of its server is nobody's doing, so it does not count.

At last `everstep verify` must find that every stored log replays to the stored state.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))

from board import board
from deployment import deploy
from everstep_server import BINARY, EverstepServer
from executions import ENDED
from history import Mismatch, check_invariants, describe, read_history

FUNCTIONS = ("python-durable", "python-plain")
WORK_SECONDS = 0.05
DEADLINE_SECONDS = 600


@dataclass
class Workflow:
    """One execution: what it is to do, and the only right result."""

    name: str
    input: dict[str, Any]
    result: list[Any]
    steps: list[str]
    arn: str | None = None


@dataclass
class Chaos:
    """The whole run."""

    server: EverstepServer
    workflows: list[Workflow]
    directory: Path
    kills: int
    random: random.Random
    killed: int = 0
    deaths: dict[int, int] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)
    broken: list[str] = field(default_factory=list)

    def run(self) -> list[str]:
        """Start, answer and kill; return what is wrong at the end."""
        threads = [threading.Thread(target=self._guarded, args=(work,)) for work in (self._start, self._answer)]
        for thread in threads:
            thread.start()
        try:
            self._kill()
            threads[0].join(DEADLINE_SECONDS)
            self._wait()
        finally:
            self.over.set()
            for thread in threads:
                thread.join(60)
        return self.broken + [fault for workflow in self.workflows for fault in self._faults(workflow)]

    @cached_property
    def client(self) -> Any:
        """The client of the starting and the answering thread: making one takes longer than most requests."""
        return self.server.client()

    def _guarded(self, work: Any) -> None:
        try:
            work()
        except Exception as error:
            self.broken.append(f"{work.__name__}: {error!r}")

    def _persistently(self, client: Any, request: Any) -> Any:
        """Make a request until it is answered; a dead server is asked again, a refusal is an answer."""
        while not self.over.is_set():
            try:
                return request(self.client)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                    raise
            except (BotoCoreError, OSError):
                pass
            time.sleep(0.05)
        return None

    def _start(self) -> None:
        """Start the executions all along the kills; by name, so that repeating a start is harmless."""
        client = self.server.client()
        for number, workflow in enumerate(self.workflows):
            arguments = {
                "FunctionName": "python-durable",
                "Qualifier": "$LATEST",
                "InvocationType": "Event",
                "DurableExecutionName": workflow.name,
                "Payload": json.dumps(workflow.input),
            }
            started = self._persistently(client, lambda client, arguments=arguments: client.invoke(**arguments))
            if started is None:
                return
            workflow.arn = started["DurableExecutionArn"]
            while number * self.kills >= (self.killed + 1) * len(self.workflows) and not self.over.is_set():
                time.sleep(0.02)

    def _answer(self) -> None:
        """Answer callbacks as their submitters write them down; an answer is repeated until it is acknowledged."""
        client, file, offset = self.server.client(), self.directory / "callbacks", 0
        while not self.over.is_set():
            lines = file.read_text().split("\n") if file.exists() else [""]
            for line in lines[offset:-1]:
                name, callback_id = line.split()
                self._persistently(client, lambda client, n=name, c=callback_id: complete(client, c, f"answer to {n}"))
            offset = len(lines) - 1
            time.sleep(0.05)

    def _kill(self) -> None:
        for number in range(1, self.kills + 1):
            time.sleep(self.random.uniform(0.1, 3.0))
            left = self.server.kill()
            died = time.time_ns()
            self.deaths.update(dict.fromkeys(left, died))
            time.sleep(self.random.choice([0, 0, 0.2]))
            self.server.start()
            self.killed = number
            if number % 10 == 0 or number == self.kills:
                started = sum(workflow.arn is not None for workflow in self.workflows)
                print(f"{number} kills, {started} executions started", flush=True)

    def _wait(self) -> None:
        """Wait until all executions have ended; a line every few seconds says how many."""
        client, deadline, said = self.server.client(attempts=5), time.monotonic() + DEADLINE_SECONDS, 0.0
        open_ = [workflow for workflow in self.workflows if workflow.arn]
        while open_ and time.monotonic() < deadline:
            open_ = [w for w in open_ if self._status(client, w) not in ENDED]
            if time.monotonic() - said > 5:
                print(
                    f"{len(self.workflows) - len(open_)} of {len(self.workflows)} executions ended",
                    flush=True,
                )
                said = time.monotonic()
            time.sleep(0.2)

    @staticmethod
    def _status(client: Any, workflow: Workflow) -> str:
        return client.get_durable_execution(DurableExecutionArn=workflow.arn)["Status"]

    def _faults(self, workflow: Workflow) -> list[str]:
        """Return what is wrong with one execution."""
        if workflow.arn is None:
            return [f"{workflow.name}: was never started"]
        client = self.server.client(attempts=5)
        execution = client.get_durable_execution(DurableExecutionArn=workflow.arn)
        events = read_history(client, workflow.arn, MaxItems=1000)
        faults = []
        try:
            check_invariants(events)
        except Mismatch as error:
            faults.append(str(error))
        if execution["Status"] != "SUCCEEDED":
            faults.append(f"is {execution['Status']}: {execution.get('Error')}")
        elif json.loads(execution["Result"]) != workflow.result:
            faults.append(f"result is {execution['Result']}, not {json.dumps(workflow.result)}")
        succeeded = {
            event["Name"]: event["EventTimestamp"].timestamp()
            for event in events
            if event["EventType"] == "StepSucceeded"
        }
        missing = set(workflow.steps) - succeeded.keys()
        if missing:
            faults.append(f"no success is recorded for {sorted(missing)}")
        counted = Counter(event["Name"] for event in events if event["EventType"] == "StepSucceeded")
        faults += [f"{step} succeeded {count} times" for step, count in counted.items() if count > 1]
        faults += self._repetitions(workflow, succeeded)
        return [f"{workflow.name} ({workflow.arn}): {fault}\n{describe(events)}" for fault in faults]

    def _repetitions(self, workflow: Workflow, succeeded: dict[str, float]) -> list[str]:
        """Return the steps that were lost or begun again, by what the handlers wrote down."""
        faults = []
        file = self.directory / workflow.name
        for line in file.read_text().splitlines() if file.exists() else []:
            what, step, nanoseconds, process = line.split()
            at, died = int(nanoseconds), self.deaths.get(int(process))
            if step not in succeeded:
                if what == "acknowledged":
                    faults.append(f"{step} was acknowledged, but is not recorded")
            # The server's clock is that of the functions; history has it in milliseconds, rounded down.
            elif what == "start" and at / 1e9 > succeeded[step] + 0.001 and not (died and at > died):
                faults.append(f"{step} began again {at / 1e9 - succeeded[step]:.3f} s after its success was recorded")
        return faults


def complete(client: Any, callback_id: str, answer: str) -> None:
    """Complete a callback; one that an unacknowledged request has completed already is as good."""
    with suppress(client.exceptions.CallbackTimeoutException):
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=answer.encode())


def workflow(number: int, directory: Path, chance: random.Random) -> Workflow:
    """Make up one execution."""
    name = f"chaos-{number:04}"
    common = {"name": name, "board": board(directory), "work": WORK_SECONDS}

    def result(step: str) -> str:
        return f"{name}/{step}"

    around = ["before", "after"]
    kind = number % 6
    match kind:
        case 0 | 1:
            count = chance.randint(3, 8) if kind == 0 else chance.randint(2, 4)
            steps = [f"step-{n}" for n in range(count)]
            case_name = "chaos_steps" if kind == 0 else "chaos_waits"
            return Workflow(name, common | {"case": case_name, "count": count}, [result(step) for step in steps], steps)
        case 2:
            results = [result("before"), f"answer to {name}", result("after")]
            return Workflow(name, common | {"case": "chaos_callback"}, results, around)
        case 3 | 4:
            value = chance.randint(0, 10**9)
            if kind == 3:
                target, payload = "python-durable:$LATEST", {"case": "chaos_target", "value": value}
            else:
                target, payload = (
                    "python-plain",
                    {"do": "sleep", "seconds": chance.uniform(0, 1), "value": value},
                )
            arguments = {"case": "chaos_invoke", "target": target, "payload": payload}
            return Workflow(name, common | arguments, [result("before"), value, result("after")], around)
        case _:
            steps = [f"branch-{n}" for n in range(3)]
            return Workflow(name, common | {"case": "chaos_parallel"}, [result(step) for step in steps], steps)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--executions", type=int, default=200, help="how many executions run [%(default)s]")
    parser.add_argument("--kills", type=int, default=50, help="how often the server is killed [%(default)s]")
    parser.add_argument("--seed", type=int, help="repeat the random choices of a run that printed this seed")
    return parser.parse_args()


def main() -> int:
    """Run; return the exit code."""
    chosen = arguments()
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="everstep-chaos-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        notes = directory / "notes"
        notes.mkdir()
        workflows = [workflow(number, notes, chance) for number in range(chosen.executions)]
        with EverstepServer(directory / "data", "--processes", "6") as server:
            deploy(server.client(), FUNCTIONS)
            chaos = Chaos(server, workflows, notes, chosen.kills, chance)
            faults = chaos.run()
            if faults:
                print(server.log_tail())
        verified = subprocess.run(
            [str(BINARY), "verify", "--data", str(server.data)], capture_output=True, text=True, check=False
        )
        print(f"verify: {verified.stdout.strip() or verified.stderr.strip()}")
        if verified.returncode != 0:
            faults.append(f"verify failed: {verified.stdout}{verified.stderr}")
    for fault in faults:
        print(fault)
    failed = len({fault.split()[0] for fault in faults})
    if faults:
        print(f"seed {seed}")
    print(f"{chosen.executions - min(failed, chosen.executions)} passed, {failed} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
