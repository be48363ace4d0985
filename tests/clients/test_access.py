"""Who may call, and what is answered to whom may not or asks for what is not there."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import timedelta
from typing import Any

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from everstep_server import REGION, EverstepServer

ONCE = Config(retries={"total_max_attempts": 1})


def lowered(headers: Any) -> dict[str, str]:
    """Return headers by their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def send(request: AWSRequest) -> tuple[int, dict[str, str], bytes]:
    """Send a request as it is; return status, headers and body."""
    prepared = request.prepare()
    raw = urllib.request.Request(
        prepared.url, data=prepared.body, headers=dict(prepared.headers.items()), method=prepared.method
    )
    try:
        with urllib.request.urlopen(raw, timeout=30) as response:
            return response.status, lowered(response.headers), response.read()
    except urllib.error.HTTPError as error:
        return error.code, lowered(error.headers), error.read()


def signed(server: EverstepServer, method: str, path: str, body: bytes = b"") -> AWSRequest:
    """Return a signed request for any path."""
    request = AWSRequest(method, server.url + path, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(*server.credentials()), "lambda", REGION).add_auth(request)
    return request


def test_wrong_secret_is_refused(server: EverstepServer):
    client = server.client(aws_secret_access_key="wrong", config=ONCE)
    with pytest.raises(ClientError) as caught:
        client.list_functions()
    assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_unknown_key_is_refused(server: EverstepServer):
    client = server.client(aws_access_key_id="AKIAUNKNOWN000000000", config=ONCE)
    with pytest.raises(ClientError) as caught:
        client.list_functions()
    assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_unsigned_request_is_refused(server: EverstepServer):
    status, headers, body = send(AWSRequest("GET", f"{server.url}/2015-03-31/functions/"))
    assert status == 403
    assert headers["x-amzn-errortype"].startswith("MissingAuthenticationToken")
    assert "message" in json.loads(body)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_skewed_clock_is_refused(minutes: int, server: EverstepServer, monkeypatch: pytest.MonkeyPatch):
    now = botocore.auth.get_current_datetime

    def skewed(*arguments: Any) -> Any:
        return now(*arguments) + timedelta(minutes=minutes)

    monkeypatch.setattr(botocore.auth, "get_current_datetime", skewed)
    status, headers, body = send(signed(server, "GET", "/2015-03-31/functions/"))
    assert status == 403
    assert headers["x-amzn-errortype"].startswith("InvalidSignatureException")
    assert "Signature" in json.loads(body)["message"]


def test_tampered_body_is_refused(server: EverstepServer):
    request = signed(server, "POST", "/2015-03-31/functions/python-plain/invocations", b'{"a": 1}')
    request.data = b'{"a": 2}'
    status, headers, _ = send(request)
    assert status == 403
    assert headers["x-amzn-errortype"].startswith("InvalidSignatureException")


def test_presigned_url_works_without_a_key(client: Any):
    url = client.generate_presigned_url("get_function", {"FunctionName": "python-plain"}, ExpiresIn=60)
    status, _, body = send(AWSRequest("GET", url))
    assert status == 200, body
    assert json.loads(body)["Configuration"]["FunctionName"] == "python-plain"
    url = client.generate_presigned_url("invoke", {"FunctionName": "python-plain"}, ExpiresIn=60)
    status, headers, body = send(AWSRequest("POST", url))
    assert (status, headers["x-amz-executed-version"]) == (200, "$LATEST"), body


def test_presigned_url_is_good_for_one_thing_and_not_for_long(client: Any, monkeypatch: pytest.MonkeyPatch):
    url = client.generate_presigned_url("get_function", {"FunctionName": "python-plain"}, ExpiresIn=60)
    status, headers, _ = send(AWSRequest("GET", url.replace("python-plain", "python-durable")))
    assert (status, headers["x-amzn-errortype"]) == (403, "InvalidSignatureException")
    now = botocore.auth.get_current_datetime
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *arguments: now(*arguments) - timedelta(hours=1))
    url = client.generate_presigned_url("get_function", {"FunctionName": "python-plain"}, ExpiresIn=60)
    status, _, body = send(AWSRequest("GET", url))
    assert status == 403
    assert json.loads(body)["message"].startswith("Signature expired")


def test_every_answer_has_a_request_id(server: EverstepServer):
    for path in ("/2015-03-31/functions/", "/2015-03-31/functions/missing", "/nowhere"):
        _, headers, _ = send(signed(server, "GET", path))
        assert headers["x-amzn-requestid"]


def test_error_has_the_shape_of_its_model(server: EverstepServer, client: Any):
    status, headers, body = send(signed(server, "GET", "/2015-03-31/functions/missing"))
    assert status == 404
    assert headers["x-amzn-errortype"].startswith("ResourceNotFoundException")
    assert headers["content-type"].startswith("application/json")
    document = json.loads(body)
    assert (document["Type"], "missing" in document["Message"]) == ("User", True)
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        client.get_function(FunctionName="missing")
    assert caught.value.response["Error"]["Message"] == document["Message"]
    assert caught.value.response["Type"] == "User"


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("list_event_source_mappings", {}),
    ],
)
def test_operation_that_is_not_served_is_named(operation: str, arguments: dict[str, Any], server: EverstepServer):
    client = server.client(attempts=3)
    name = client.meta.method_to_api_mapping[operation]
    with pytest.raises(ClientError, match=name) as caught:
        getattr(client, operation)(**arguments)
    assert name in caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_unknown_path_is_refused(server: EverstepServer):
    status, _, body = send(signed(server, "GET", "/2015-03-31/nowhere"))
    assert status == 404
    assert json.loads(body)["message"]


def test_malformed_body_is_refused(server: EverstepServer):
    status, headers, _ = send(signed(server, "POST", "/2015-03-31/functions", b"{"))
    assert status == 400
    assert headers["x-amzn-errortype"].startswith("SerializationException")


def test_arn_may_be_escaped_or_not(server: EverstepServer, client: Any):
    response = client.invoke(FunctionName="python-durable", Qualifier="$LATEST", Payload=b'{"case": "nothing"}')
    arn = response["DurableExecutionArn"]
    escaped = arn.replace(":", "%3A").replace("/", "%2F").replace("$", "%24")
    for written in (escaped, arn):
        status, _, body = send(signed(server, "GET", f"/2025-12-01/durable-executions/{written}"))
        assert status == 200, written
        document = json.loads(body)
        assert document["DurableExecutionArn"] == arn
        assert isinstance(document["StartTimestamp"], (int, float)), "epoch seconds"
        assert 1e9 < document["StartTimestamp"] < 1e10
        assert None not in document.values()


def test_credentials_are_readable_by_the_owner_only(server: EverstepServer):
    assert (server.data / "credentials").stat().st_mode & 0o777 == 0o600
