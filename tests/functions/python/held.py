"""A durable function whose invocations the test answers by hand.

It writes each envelope to `envelope-N.json` in the directory that the input names and returns what the test writes to
`response-N.json`. So a test holds a real checkpoint token and can send what no SDK would.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from typing import Any


def handler(event: dict[str, Any], _context: Any) -> Any:
    """Hand out the envelope; wait for the answer."""
    operations = event["InitialExecutionState"]["Operations"]
    directory = json.loads(operations[0]["ExecutionDetails"]["InputPayload"])["directory"]
    number = next(n for n in itertools.count(1) if not os.path.exists(f"{directory}/envelope-{n}.json"))
    with open(f"{directory}/new-{number}", "w", encoding="utf-8") as file:
        json.dump(event, file)
    os.rename(f"{directory}/new-{number}", f"{directory}/envelope-{number}.json")
    while not os.path.exists(f"{directory}/response-{number}.json"):
        time.sleep(0.02)
    with open(f"{directory}/response-{number}.json", encoding="utf-8") as file:
        return json.load(file)
