"""The durable function: `{"case": NAME, …}` chooses what it does."""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution

import callbacks  # noqa: F401
import chaos  # noqa: F401
import conditions  # noqa: F401
import contexts  # noqa: F401
import failures  # noqa: F401
import invokes  # noqa: F401
import large  # noqa: F401
import runtimes  # noqa: F401
import steps  # noqa: F401
import waits  # noqa: F401
from common import CASES, Event


@durable_execution
def handler(event: Event, context: DurableContext) -> Any:
    """Run the case that the input names."""
    return CASES[event["case"]](event, context)
