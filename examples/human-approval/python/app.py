"""Decides on an expense: small ones by itself, others by a person, who may take a week."""

import json
import os
import urllib.request

from aws_durable_execution_sdk_python import (
    CallbackTimeoutError,
    DurableContext,
    StepContext,
    durable_execution,
    durable_step,
)
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig

FREE_LIMIT = 100
PATIENCE = WaitForCallbackConfig(timeout=Duration.from_days(7))


@durable_execution
def handler(expense: dict, context: DurableContext) -> dict:
    """Decide on an expense: `id` and `amount`."""
    if expense["amount"] <= FREE_LIMIT:
        return context.step(book(expense, "the rules"))
    try:
        answer = context.wait_for_callback(
            lambda callback_id, _: tell(expense, callback_id), name="approval", config=PATIENCE
        )
    except CallbackTimeoutError:
        return {"id": expense["id"], "status": "EXPIRED"}
    decision = json.loads(answer)
    if not decision["approved"]:
        return {"id": expense["id"], "status": "REJECTED", "by": decision["by"]}
    return context.step(book(expense, decision["by"]))


@durable_step
def book(_: StepContext, expense: dict, approver: str) -> dict:
    """Book the expense."""
    return {"id": expense["id"], "status": "BOOKED", "by": approver}


def tell(expense: dict, callback_id: str) -> None:
    """Tell whoever decides: the log, and a web hook if one is set."""
    message = {"expense": expense, "callbackId": callback_id}
    print(json.dumps(message), flush=True)
    if url := os.environ.get("NOTIFY_URL"):
        request = urllib.request.Request(url, json.dumps(message).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()
