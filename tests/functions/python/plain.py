"""Functions that are not durable: `{"do": WHAT, …}` chooses what they do."""

from __future__ import annotations

import os
import sys
import time
from typing import Any


def handler(event: Any, context: Any) -> Any:
    """Do what the input asks for; echo it if it asks for nothing."""
    match event.get("do") if isinstance(event, dict) else None:
        case "fail":
            raise ValueError(event.get("message", "plain broke"))
        case "exit":
            sys.stdout.flush()
            os._exit(3)
        case "sleep":
            time.sleep(event["seconds"])
            return event.get("value")
        case "log":
            print(event["text"])
            return None
        case "environment":
            return {name: os.environ.get(name) for name in event["names"]}
        case "context":
            client = context.client_context
            return {
                "custom": client.custom if client else None,
                "env": client.env if client else None,
                "function_name": context.function_name,
                "function_version": context.function_version,
                "invoked_function_arn": context.invoked_function_arn,
                "memory_limit_in_mb": int(context.memory_limit_in_mb),
                "remaining": context.get_remaining_time_in_millis(),
                "request_id": context.aws_request_id,
            }
        case _:
            return event
