"""Stands in for the services of a shop: an ordinary function that knows nothing of durable executions."""

PRICE = 25


class Declined(Exception):
    """The card was declined."""


class Undeliverable(Exception):
    """Nobody delivers to that address."""


def handler(event: dict, _context: object) -> dict:
    """Do what `action` says."""
    match event["action"]:
        case "reserve":
            return {"reservation": "r-1", "amount": PRICE * len(event["items"])}
        case "charge":
            if event["card"].endswith("0000"):
                raise Declined(f"the card was declined for {event['amount']}")
            return {"payment": "p-1"}
        case "ship":
            if not event["address"]:
                raise Undeliverable("there is no address")
            return {"parcel": "t-1"}
        case "release" | "refund":
            return {}
        case other:
            raise ValueError(f"unknown action {other}")
