"""Runs a Python function: asks the Lambda Runtime API for an event, calls the handler, posts what it returns.

Standard library only; CPython 3.11 or later. Ends when the connection to the Runtime API drops, so that no idle
process outlives a server that was killed.
"""

import importlib
import json
import logging
import os
import socket
import sys
import time
import traceback
import types

JSON_LOGS = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"
LEVELS = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "WARN": 30, "WARNING": 30, "ERROR": 40, "FATAL": 50, "CRITICAL": 50}

request_id = ""
tenant_id = None


class Api:
    """One kept connection to the Runtime API; each request leaves as one packet."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.host = address
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")

    def call(self, method, path, body=b"", error_type=None):
        head = f"{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(body)}\r\n"
        if body:
            head += "Content-Type: application/json\r\n"
        if error_type:
            head += f"Lambda-Runtime-Function-Error-Type: {error_type}\r\n"
        try:
            self.socket.sendall(head.encode("latin-1", "replace") + b"\r\n" + body)
            status = int(self.reader.readline().split()[1])
            headers = {}
            while (line := self.reader.readline().rstrip()):
                name, _, value = line.partition(b":")
                headers[name.decode("latin-1").lower()] = value.strip().decode("utf-8", "replace")
            return status, headers, self.reader.read(int(headers.get("content-length", 0)))
        except (OSError, IndexError, ValueError):
            sys.stderr.write("the runtime api is gone\n")
            sys.stderr.flush()
            os._exit(1)


class Fault(Exception):
    """A failure that has a name of its own in Lambda, rather than an exception's."""

    def __init__(self, error_type, message, stack=()):
        super().__init__(message)
        self.error_type = error_type
        self.stack = list(stack)


class Context:
    """What a handler learns about its invocation."""

    def __init__(self, headers):
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        self._deadline_ms = int(headers["lambda-runtime-deadline-ms"])
        identity = document(headers.get("lambda-runtime-cognito-identity"))
        self.identity = types.SimpleNamespace(
            cognito_identity_id=identity.get("cognitoIdentityId"),
            cognito_identity_pool_id=identity.get("cognitoIdentityPoolId"),
        )
        self.client_context = client_context(document(headers.get("lambda-runtime-client-context")))

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))
        sys.stdout.flush()

    def __repr__(self):
        members = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if name[0] != "_")
        return f"LambdaContext([{members}])"


def document(text):
    """Reads a JSON object from a header; anything else is as good as none."""
    try:
        value = json.loads(text) if text else {}
    except ValueError:
        value = {}
    return value if isinstance(value, dict) else {}


def client_context(given):
    if not given:
        return None
    client = given.get("client") or {}
    names = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")
    client = types.SimpleNamespace(**{name: client.get(name) for name in names})
    return types.SimpleNamespace(client=client, custom=given.get("custom"), env=given.get("env"))


class Records(logging.Handler):
    """Writes log records; the lines of one record are joined by carriage returns, which the server takes apart."""

    STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

    def emit(self, record):
        try:
            write(self.as_json(record) if JSON_LOGS else self.as_text(record))
        except Exception:
            self.handleError(record)

    def as_text(self, record):
        message = logging.Formatter().format(record)
        return f"[{record.levelname}]\t{timestamp(record.created)}\t{request_id}\t{message}"

    def as_json(self, record):
        line = {
            "timestamp": timestamp(record.created),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        if request_id:
            line["requestId"] = request_id
        if tenant_id:
            line["tenantId"] = tenant_id
        if record.exc_info and record.exc_info[0]:
            kind, value, trace = record.exc_info
            line["errorType"] = kind.__name__
            line["errorMessage"] = str(value)
            line["stackTrace"] = traceback.format_list(traceback.extract_tb(trace))
            line["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        # What code adds by `extra` becomes fields of the line, but never replaces one.
        for name, value in vars(record).items():
            if name not in self.STANDARD and value is not None:
                line.setdefault(name, value)
        return json.dumps(line, ensure_ascii=False, default=str)


def timestamp(seconds):
    milliseconds = int(seconds * 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000)) + f".{milliseconds % 1000:03d}Z"


def write(text):
    sys.stdout.write(text.replace("\r\n", "\r").replace("\n", "\r") + "\n")
    sys.stdout.flush()


def start_logging():
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    root = logging.getLogger()
    root.addHandler(Records())
    level = LEVELS.get(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper(), 20 if JSON_LOGS else None)
    if level is not None:
        root.setLevel(level)


def load_handler(name):
    module_name, dot, function_name = name.rpartition(".")
    if not dot or not module_name or not function_name:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{name}': write module.function")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        write(traceback.format_exc())
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from None
    except SyntaxError as error:
        place = f'  File "{error.filename}", line {error.lineno}\n    {(error.text or "").strip()}\n'
        message = f"Syntax error in module '{module_name}': {error}"
        raise Fault("Runtime.UserCodeSyntaxError", message, [place]) from None
    handler = getattr(module, function_name, None)
    if handler is None:
        raise Fault("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'")
    return handler


def decimal(value):
    """Numbers from boto3's DynamoDB resource are decimals; everything else that JSON lacks is an error."""
    if type(value).__name__ == "Decimal":
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def invoke(handler, body, context):
    """Returns the response as bytes."""
    try:
        event = json.loads(body)
    except ValueError as error:
        raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from None
    result = handler(event, context)
    try:
        return json.dumps(result, ensure_ascii=False, default=decimal).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None


def describe(error):
    """Returns an error's type and document, after logging it. The first two frames are this file's."""
    if isinstance(error, Fault):
        error_type, stack = error.error_type, error.stack
    else:
        trace = error.__traceback__
        for _ in range(2):
            trace = trace and trace.tb_next
        frames = [frame for frame in traceback.extract_tb(trace) if "importlib" not in frame.filename]
        error_type, stack = type(error).__name__, traceback.format_list(frames)
    described = {
        "errorMessage": str(error),
        "errorType": error_type,
        "requestId": request_id,
        "stackTrace": stack,
    }
    if JSON_LOGS:
        write(json.dumps({"timestamp": timestamp(time.time()), "level": "ERROR", **described}))
    else:
        trace = "Traceback (most recent call last):\n" + "".join(stack) if stack else ""
        write(f"[ERROR] {error_type}: {error}\n{trace}".rstrip("\n"))
    return error_type, json.dumps(described).encode()


def main():
    global request_id, tenant_id
    task_root = os.environ["LAMBDA_TASK_ROOT"]
    # The script's own directory is of no use to the function; its code comes first.
    sys.path[0] = task_root
    start_logging()
    api = Api(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = load_handler(os.environ["_HANDLER"])
    except Exception as error:
        error_type, body = describe(error)
        api.call("POST", "init/error", body, error_type)
        sys.exit(1)
    while True:
        status, headers, body = api.call("GET", "invocation/next")
        if status != 200:
            sys.exit(1)
        request_id = headers["lambda-runtime-aws-request-id"]
        tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("lambda-runtime-trace-id", "")
        try:
            answer, error_type, kind = invoke(handler, body, Context(headers)), None, "response"
        except Exception as error:
            (error_type, answer), kind = describe(error), "error"
        sys.stdout.flush()
        sys.stderr.flush()
        api.call("POST", f"invocation/{request_id}/{kind}", answer, error_type)


main()
