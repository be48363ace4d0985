"""A durable function whose invocations the test answers by hand.

It puts each envelope on the board that the input names, as `envelope-N.json`, and returns what the test writes to
`response-N.json`. So a test holds a real checkpoint token and can send what no SDK would.
"""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

from common import get, put


def handler(event: dict[str, Any], _context: Any) -> Any:
    """Hand out the envelope; wait for the answer."""
    operations = event["InitialExecutionState"]["Operations"]
    board = json.loads(operations[0]["ExecutionDetails"]["InputPayload"])["board"]
    envelope = json.dumps(event).encode()
    number = next(n for n in itertools.count(1) if put(board, f"envelope-{n}.json", envelope))
    while (response := get(board, f"response-{number}.json")) is None:
        time.sleep(0.02)
    return json.loads(response)
