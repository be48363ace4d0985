"""Payloads at and above the limits at which the SDK changes its ways."""

from __future__ import annotations

from aws_durable_execution_sdk_python import DurableContext

from common import Event, case, note, seconds


@case
def large_child(event: Event, context: DurableContext) -> int:
    """Return more from a child context than a checkpoint holds: it is replayed instead."""

    def body(child: DurableContext) -> str:
        letter = child.step(lambda _: note(event, "runs", "letter") or "x", name="letter")
        return letter * event["size"]

    text = context.run_in_child_context(body, name="large")
    context.wait(seconds(event["seconds"]), name="pause")
    return len(text)


@case
def large_result(event: Event, _context: DurableContext) -> str:
    return "x" * event["size"]


@case
def many_large_steps(event: Event, context: DurableContext) -> int:
    """Record more than one envelope carries: the SDK fetches the rest of its state."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    texts = [
        context.step(lambda _, n=n: letters[n % 26] * event["size"], name=f"step-{n}") for n in range(event["count"])
    ]
    context.wait(seconds(1), name="pause")
    return sum(len(text) for n, text in enumerate(texts) if set(text) == {letters[n % 26]})
