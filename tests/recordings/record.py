"""Records the command line at work and writes `docs/recordings.md`; run by `cargo xtask record`.

A real server, the real binary and a durable function on AWS's own SDK for Python. Only ids and times of day are
replaced, and where the code lies: ids by others of the same length, times so that the recording begins at 09:00 on
1 January 2026.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))

import packages
from command_line import CommandLine
from everstep_server import BINARY, EverstepServer, eventually

PAGE = packages.REPOSITORY / "docs" / "recordings.md"
FUNCTION = Path(__file__).with_name("orders.py")
THREE_DAYS = 3 * 24 * 60 * 60

TIME = re.compile(r"(\d{4}-\d\d-\d\d)([ T])(\d\d:\d\d:\d\d\.\d{3})Z")
CODE = re.compile(r"/\S*/code/[0-9a-f]{64}/tree/")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
BEGIN = datetime(2026, 1, 1, 9, tzinfo=UTC)

PAGE_TEXT = """\
# Recordings

Recorded by `cargo xtask record`: a real server, the real binary, and a durable function on AWS's own SDK for Python.
Ids, times of day and the directory of the code are replaced, everything else is as it was printed.

The function has two branches at once, one of which fails twice before it succeeds, then a wait, then a last step:

```python
{function}```

## A live timeline, and three days that pass at once

In one terminal, `invoke --follow` draws the execution again and again. A moment after the start one
branch is done, and the other one waits until it tries for the third time:

```
$ everstep invoke orders --name order-1001 --payload '{long}' --follow
{begun}```

A moment later it sleeps for three days, without a process:

```
{asleep}```

In another terminal, the clock of the development server is moved to the next wake-up:

```
$ everstep dev clock next
{woken}```

And in the first one it is over:

```
{over}```

## Elsewhere than on a terminal: a line for each event

```
$ everstep invoke orders --name order-1002 --payload '{short}' --follow | cat
{lines}```

## Parallel branches and retries

```
$ everstep executions show order-1002
{shown}```

```
$ everstep executions list
{listed}```

## What an execution printed

```
$ everstep logs order-1002
{logs}```
"""


def in_terminal(everstep: CommandLine, *arguments: str) -> list[str]:
    """Run a command in a terminal of its own; return each picture that it drew."""
    command = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])", str(BINARY), *arguments]
    environment = everstep.environment() | {"NO_COLOR": "1"}
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=True
    )
    drawn = done.stdout.replace("\r\n", "\n").split("\x1b[J\x1b[?7l")[1:]
    return [picture.split("\x1b[?7h")[0] for picture in drawn]


def record() -> str:
    """Play the scenes; return the page."""
    with tempfile.TemporaryDirectory(prefix="everstep-record-") as directory:
        code = packages.package("orders", [(FUNCTION.parent, FUNCTION.name), (site_packages(), "**/*")])
        with EverstepServer(Path(directory) / "data", "--movable-clock") as server:
            everstep = CommandLine(server)
            create = ["functions", "create", "orders", "--runtime", "python3.11", "--handler", "orders.handler"]
            everstep(*create, "--code", str(code), "--execution-timeout", "30d", "--timeout", "60")
            long = f'{{"id": "1001", "cooling_off_seconds": {THREE_DAYS}}}'
            short = '{"id": "1002", "cooling_off_seconds": 2}'
            woken: list[str] = []

            def second_terminal() -> None:
                def sleeps() -> bool:
                    if not everstep.json("executions", "list", "--name", "order-1001"):
                        return False
                    events = everstep.json("executions", "history", "order-1001")
                    return any(event.get("Name") == "cooling-off" for event in events)

                eventually("it sleeps", sleeps, interval=0.2)
                # The first terminal gets the time to draw it.
                threading.Event().wait(1.5)
                woken.append(everstep("dev", "clock", "next"))

            other = threading.Thread(target=second_terminal)
            other.start()
            pictures = in_terminal(
                everstep, "invoke", "orders", "--name", "order-1001", "--payload", long, "--follow"
            )
            other.join()
            lines = everstep("invoke", "orders", "--name", "order-1002", "--payload", short, "--follow")
            scenes = {
                "begun": next(p for p in pictures if "attempt 3 after" in p),
                "asleep": [p for p in pictures if "wait cooling-off" in p][-1],
                "over": pictures[-1],
                "woken": woken[0],
                "lines": lines,
                "shown": everstep("executions", "show", "order-1002"),
                "listed": everstep("executions", "list"),
                "logs": everstep("logs", "order-1002", "--follow"),
            }
    return normalised(PAGE_TEXT.format(function=FUNCTION.read_text(), long=long, short=short, **scenes))


def site_packages() -> Path:
    """Return where the SDK is installed."""
    packages.python_package("python")
    return packages.BUILT / "functions-python"


def normalised(text: str) -> str:
    """Replace ids and times of day."""
    def read(match: re.Match[str]) -> datetime:
        return datetime.fromisoformat(f"{match[1]}T{match[3]}+00:00")

    shift = BEGIN - min(map(read, TIME.finditer(text)))

    def moved(match: re.Match[str]) -> str:
        return (read(match) + shift).isoformat(sep=match[2], timespec="milliseconds").replace("+00:00", "Z")

    text = CODE.sub("/var/task/", TIME.sub(moved, text))
    for number, found in enumerate(dict.fromkeys(UUID.findall(text))):
        digits = hashlib.sha256(str(number).encode()).hexdigest()
        replacement = f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-8{digits[15:18]}-{digits[18:30]}"
        text = text.replace(found, replacement).replace(found[:8], replacement[:8])
    text = re.sub(r"(\[\$LATEST\])[0-9a-f]{32}", r"\g<1>" + "0" * 32, text)
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


if __name__ == "__main__":
    PAGE.write_text(record())
    print(f"written: {os.path.relpath(PAGE, packages.REPOSITORY)}")
