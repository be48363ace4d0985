"""Function URLs: configured by boto3 and the AWS CLI, used by plain HTTP and with botocore's signatures."""

from __future__ import annotations

import http.client
import io
import json
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from deployment import NODE, ROLE
from everstep_server import REGION, EverstepServer, function_arn
from test_aws_cli import Cli

CODE = """
export const echo = async (event) => event;
export const stream = awslambda.streamifyResponse(async (event, stream) => {
  const metadata = { statusCode: 201, headers: { "content-type": "text/plain", "x-a": "b" }, cookies: ["k=v"] };
  stream = awslambda.HttpResponseStream.from(stream, metadata);
  for (const part of ["one ", "two ", "three"]) await new Promise((done) => stream.write(part, done));
  if (event.rawPath === "/fail") throw new RangeError("late");
  stream.end();
});
"""


def create(client: Any, handler: str) -> str:
    """Create a function of the code above; return its name."""
    name = f"url-{uuid.uuid4().hex[:8]}"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as package:
        package.writestr("index.mjs", CODE)
    code = {"ZipFile": file.getvalue()}
    client.create_function(FunctionName=name, Runtime=NODE, Role=ROLE, Handler=f"index.{handler}", Timeout=60, Code=code)
    return name


@pytest.fixture(scope="module")
def echo(client: Any) -> Iterator[str]:
    """Return a function that answers with its event."""
    name = create(client, "echo")
    yield name
    client.delete_function(FunctionName=name)


def allow_anyone(client: Any, name: str) -> None:
    """Let anyone use the function's URL."""
    client.add_permission(
        FunctionName=name,
        StatementId="public",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )


def send(server: EverstepServer, request: AWSRequest) -> tuple[http.client.HTTPResponse, http.client.HTTPConnection]:
    """Send a request to the server whatever its host is called; return the answer, which is still to be read."""
    url = urlsplit(request.url)
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    headers = {**dict(request.headers.items()), "Host": url.netloc}
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    connection.request(request.method, target, request.data or None, headers)
    return connection.getresponse(), connection


def fetch(server: EverstepServer, request: AWSRequest) -> tuple[int, Any]:
    """Send a request; return status and document."""
    response, connection = send(server, request)
    with closing(connection):
        return response.status, json.load(response)


def test_url_with_signatures(server: EverstepServer, client: Any, echo: str):
    created = client.create_function_url_config(FunctionName=echo, AuthType="AWS_IAM")
    url = created["FunctionUrl"]
    assert created["FunctionArn"] == function_arn(echo)
    assert urlsplit(url).netloc.split(".", 1)[1].startswith(f"lambda-url.{REGION}.")
    status, body = fetch(server, AWSRequest("GET", url))
    assert (status, body) == (403, {"Message": "Forbidden"})

    credentials = Credentials(*server.credentials())
    request = AWSRequest("POST", f"{url}a/b?x=1&y=%20z", data=b'{"n":1}', headers={"Content-Type": "application/json"})
    SigV4Auth(credentials, "lambda", REGION).add_auth(request)
    status, event = fetch(server, request)
    assert status == 200, event
    assert (event["rawPath"], event["rawQueryString"]) == ("/a/b", "x=1&y=%20z")
    assert (event["body"], event["isBase64Encoded"]) == ('{"n":1}', False)
    assert event["requestContext"]["authorizer"]["iam"]["accessKey"] == credentials.access_key
    request.data = b'{"n":2}'
    assert fetch(server, request)[0] == 403

    request = AWSRequest("GET", f"{url}?x=1")
    SigV4QueryAuth(credentials, "lambda", REGION, expires=60).add_auth(request)
    status, event = fetch(server, request)
    assert (status, event["queryStringParameters"]["x"]) == (200, "1")

    allow_anyone(client, echo)
    updated = client.update_function_url_config(FunctionName=echo, AuthType="NONE", Cors={"AllowOrigins": ["*"]})
    assert (updated["AuthType"], updated["Cors"]) == ("NONE", {"AllowOrigins": ["*"]})
    assert client.get_function_url_config(FunctionName=echo)["FunctionUrl"] == url
    response, connection = send(server, AWSRequest("GET", url, headers={"Origin": "https://example.com"}))
    with closing(connection):
        assert (response.status, response.headers["access-control-allow-origin"]) == (200, "*")
    pages = client.get_paginator("list_function_url_configs").paginate(FunctionName=echo)
    assert [config["FunctionUrl"] for page in pages for config in page["FunctionUrlConfigs"]] == [url]
    client.delete_function_url_config(FunctionName=echo)
    assert fetch(server, AWSRequest("GET", url))[0] == 404
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function_url_config(FunctionName=echo)


def test_errors_of_the_configuration(client: Any, echo: str):
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="Function does not exist"):
        client.create_function_url_config(FunctionName="missing", AuthType="NONE")
    client.publish_version(FunctionName=echo)
    client.create_alias(FunctionName=echo, Name="live", FunctionVersion="1")
    client.create_function_url_config(FunctionName=echo, Qualifier="live", AuthType="NONE")
    with pytest.raises(client.exceptions.ResourceConflictException, match="FunctionUrlConfig exists"):
        client.create_function_url_config(FunctionName=echo, Qualifier="live", AuthType="NONE")
    client.delete_alias(FunctionName=echo, Name="live")
    assert client.list_function_url_configs(FunctionName=echo)["FunctionUrlConfigs"] == []


@pytest.mark.parametrize("mode", ["BUFFERED", "RESPONSE_STREAM"])
def test_streamed_answer(mode: str, server: EverstepServer, client: Any):
    name = create(client, "stream")
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE", InvokeMode=mode)["FunctionUrl"]
    allow_anyone(client, name)
    response, connection = send(server, AWSRequest("GET", url))
    with closing(connection):
        assert response.status == 201
        headers = [response.headers[name] for name in ("content-type", "x-a", "set-cookie")]
        assert headers == ["text/plain", "b", "k=v"]
        assert response.read() == b"one two three"
    response, connection = send(server, AWSRequest("GET", f"{url}fail"))
    with closing(connection):
        if mode == "BUFFERED":
            assert response.status == 502
        else:
            assert response.status == 201
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                response.read()
    client.delete_function(FunctionName=name)


def test_cli(server: EverstepServer, tmp_path: Path, echo: str):
    aws = Cli(server, tmp_path)
    created = aws("create-function-url-config", "--function-name", echo, "--auth-type", "NONE")
    aws(
        "add-permission",
        *("--function-name", echo),
        *("--statement-id", "by-cli"),
        *("--action", "lambda:InvokeFunctionUrl"),
        *("--principal", "*"),
        *("--function-url-auth-type", "NONE"),
    )
    status, event = fetch(server, AWSRequest("GET", created["FunctionUrl"]))
    assert (status, event["requestContext"]["accountId"]) == (200, "anonymous")
    cors = "AllowOrigins=https://example.com,AllowMethods=GET"
    updated = aws("update-function-url-config", "--function-name", echo, "--cors", cors)
    assert updated["Cors"] == {"AllowOrigins": ["https://example.com"], "AllowMethods": ["GET"]}
    assert aws("get-function-url-config", "--function-name", echo)["FunctionUrl"] == created["FunctionUrl"]
    assert len(aws("list-function-url-configs", "--function-name", echo)["FunctionUrlConfigs"]) == 1
    aws("delete-function-url-config", "--function-name", echo)
    assert "ResourceNotFoundException" in aws.run("get-function-url-config", "--function-name", echo).stderr
