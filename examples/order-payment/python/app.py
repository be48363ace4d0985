"""Takes an order: reserve, charge, ship. If one of them fails, what was done before is undone, the last thing first."""

import os

from aws_durable_execution_sdk_python import DurableContext, InvokeError, durable_execution


@durable_execution
def handler(order: dict, context: DurableContext) -> dict:
    """Take an order: `id`, `items`, `card` and `address`."""

    def shop(action: str, subject: dict) -> dict:
        return context.invoke(os.environ["SHOP"], {"action": action, **subject}, name=action)

    undo: list[tuple[str, dict]] = []
    try:
        reservation = shop("reserve", {"items": order["items"]})
        undo.append(("release", reservation))
        payment = shop("charge", {"card": order["card"], "amount": reservation["amount"]})
        undo.append(("refund", payment))
        parcel = shop("ship", {"address": order["address"]})
    except InvokeError as error:
        for action, subject in reversed(undo):
            shop(action, subject)
        context.logger.warning("order %s was cancelled: %s", order["id"], error)
        return {"id": order["id"], "status": "CANCELLED", "undone": [action for action, _ in reversed(undo)]}
    return {"id": order["id"], "status": "SHIPPED", "parcel": parcel["parcel"]}
