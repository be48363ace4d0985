"""Wait for condition: poll, sleep, poll again."""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import DurableContext
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitForConditionDecision

from common import Event, case, seconds


@case
def condition(event: Event, context: DurableContext) -> int:
    def strategy(state: int, _attempt: int) -> WaitForConditionDecision:
        if state >= event["threshold"]:
            return WaitForConditionDecision.stop_polling()
        return WaitForConditionDecision.continue_waiting(seconds(1))

    def check(state: int, _context: Any) -> int:
        return state + 1

    config = WaitForConditionConfig(wait_strategy=strategy, initial_state=0)
    return context.wait_for_condition(check, config, name="poll")
