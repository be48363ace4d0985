"""Which interpreter runs this, before and after a wait."""

from __future__ import annotations

import sys

from aws_durable_execution_sdk_python import DurableContext

from common import Event, case, seconds


@case
def interpreter(event: Event, context: DurableContext) -> list[str]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    before = context.step(lambda _: version, name="before")
    context.wait(seconds(1), name="pause")
    return [before, version]
