"""Services that are passed on to real ones: the page of the book that says so, with a stand-in for DynamoDB."""

from __future__ import annotations

import json
import re
import shutil
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest

import dynamodb_server
from deployment import FUNCTIONS
from everstep_server import REGION, EverstepServer, eventually
from executions import call
from packages import REPOSITORY, python_package
from stacks import create, delete, physical, template, update
from test_docs import FILE

NAMES = re.compile(r'^    \("([\w-]+)", "([\w-]+)", "(\w+)"\),$', re.MULTILINE)


@pytest.fixture
def dynamodb(tmp_path: Path) -> Iterator[str]:
    """Run a stand-in for DynamoDB; return its URL."""
    with dynamodb_server.running(tmp_path / "dynamodb.log") as url:
        yield url


def test_function_saves_to_dynamodb_without_a_secret_of_its_own(dynamodb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = (REPOSITORY / "docs" / "forwarding.md").read_text()
    files = dict(FILE.findall(text))
    assert list(files) == ["everstep.toml", "keys", "notes.py"]
    for name, content in files.items():
        (tmp_path / name).write_text(content.replace("http://127.0.0.1:8000", dynamodb))
    code = tmp_path / "notes.zip"
    shutil.copy(python_package("python"), code)
    with zipfile.ZipFile(code, "a") as archive:
        archive.write(tmp_path / "notes.py", "notes.py")
    monkeypatch.chdir(tmp_path)
    with EverstepServer(tmp_path / "server" / "data", "--config", str(tmp_path / "everstep.toml")) as server:
        arguments = FUNCTIONS["python-durable"].arguments("notes") | {"Handler": "notes.handler"}
        server.client().create_function(**arguments | {"Code": {"ZipFile": code.read_bytes()}})
        server.client().get_waiter("function_active_v2").wait(FunctionName="notes", WaiterConfig={"Delay": 1})
        server.client(service="iam").attach_role_policy(
            RoleName="everstep", PolicyArn="arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"
        )
        operator = server.client(service="dynamodb")
        key = {"AttributeName": "id"}
        operator.create_table(
            TableName="notes",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[key | {"AttributeType": "S"}],
            KeySchema=[key | {"KeyType": "HASH"}],
        )
        assert call(server.client(), "notes:$LATEST", {"text": "hello"})["Payload"] == "saved"
        real = {"aws_access_key_id": dynamodb_server.KEY, "aws_secret_access_key": "any"}
        table = boto3.session.Session().resource("dynamodb", endpoint_url=dynamodb, region_name=REGION, **real)
        assert table.Table("notes").scan()["Items"] == [{"id": "1", "text": "hello"}]
        # What the service says against a request reaches whoever asked.
        with pytest.raises(operator.exceptions.ResourceNotFoundException, match="Requested resource not found"):
            operator.scan(TableName="missing")
        assert server.credentials()[1] not in server.log_tail()


class Queues(BaseHTTPRequestHandler):
    """As much of SQS as makes, changes and deletes queues."""

    made: dict[str, dict[str, str]]

    def do_POST(self) -> None:
        """Carry out an operation."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = asked.get("QueueName") or asked["QueueUrl"].rpartition("/")[2]
        status, answer = 200, {}
        match self.headers["X-Amz-Target"]:
            case "AmazonSQS.CreateQueue" if asked["Attributes"].get("DelaySeconds") == "901":
                status = 400
                answer = {"__type": "com.amazonaws.sqs#InvalidAttributeValue", "message": "Invalid value for DelaySeconds."}
            case "AmazonSQS.CreateQueue":
                self.made[name] = asked["Attributes"] | {"tags": asked["tags"]}
                answer = {"QueueUrl": f"http://queues/1/{name}"}
            case "AmazonSQS.SetQueueAttributes":
                self.made[name] |= asked["Attributes"]
            case "AmazonSQS.GetQueueAttributes":
                answer = {"Attributes": {"QueueArn": f"arn:aws:sqs:us-east-1:1:{name}"}}
            case "AmazonSQS.DeleteQueue":
                del self.made[name]
        self.send_response(status)
        body = json.dumps(answer).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def queues() -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
    """Run a stub of SQS; return its URL and what queues there are."""
    made: dict[str, dict[str, str]] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Queues,), {"made": made}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", made
    server.shutdown()
    thread.join()
    server.server_close()


def table(key: str, **properties: Any) -> dict[str, Any]:
    """Return a table as a resource, with a key of that name."""
    keys = {
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
    }
    return {"Type": "AWS::DynamoDB::Table", "Properties": {"BillingMode": "PAY_PER_REQUEST"} | keys | properties}


def queue(**properties: Any) -> dict[str, Any]:
    """Return a queue as a resource."""
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def outputs(**values: Any) -> dict[str, Any]:
    """Return the outputs of a template."""
    return {"Outputs": {name: {"Value": value} for name, value in values.items()}}


def test_tables_and_queues_of_templates_are_made_in_the_real_services(
    dynamodb: str, queues: tuple[str, dict[str, dict[str, str]]], tmp_path: Path
):
    url, made = queues
    services = {"dynamodb": dynamodb, "sqs": url}
    config = [dynamodb_server.forwarded(url, tmp_path / "keys", service) for service, url in services.items()]
    (tmp_path / "everstep.toml").write_text("".join(config))
    with EverstepServer(tmp_path / "server" / "data", "--config", str(tmp_path / "everstep.toml")) as server:
        stacks, tables = server.client(service="cloudformation"), server.client(service="dynamodb")
        told = outputs(
            Table={"Fn::GetAtt": ["Notes", "Arn"]},
            Queue={"Ref": "Jobs"},
            Jobs={"Fn::GetAtt": ["Jobs", "QueueName"]},
            Arn={"Fn::GetAtt": ["Jobs", "Arn"]},
        )
        live = {"TimeToLiveSpecification": {"AttributeName": "until", "Enabled": True}}
        first = {"Notes": table("id", **live), "Jobs": queue(FifoQueue=True, VisibilityTimeout=30)}
        stack = create(stacks, "store", template(first, **told), Tags=[{"Key": "team", "Value": "a"}])
        there = physical(stacks, "store")
        found = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        described = tables.describe_table(TableName=there["Notes"])["Table"]
        assert (found["Table"], described["TableStatus"]) == (described["TableArn"], "ACTIVE")
        ttl = tables.describe_time_to_live(TableName=there["Notes"])["TimeToLiveDescription"]
        assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "until")
        (name,) = made
        assert name.startswith("store-Jobs-")
        assert name.endswith(".fifo")
        assert made[name] == {"FifoQueue": "true", "VisibilityTimeout": "30", "tags": {"team": "a"}}
        assert (found["Queue"], found["Jobs"]) == (f"http://queues/1/{name}", name)
        assert found["Arn"] == f"arn:aws:sqs:us-east-1:1:{name}"

        capacity = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
        changed = table("id", **live | {"BillingMode": "PROVISIONED", "ProvisionedThroughput": capacity})
        update(stacks, "store", template({"Notes": changed, "Jobs": queue(FifoQueue=True, VisibilityTimeout=60)}, **told))
        assert physical(stacks, "store") == there
        throughput = tables.describe_table(TableName=there["Notes"])["Table"]["ProvisionedThroughput"]
        assert (throughput["ReadCapacityUnits"], made[name]["VisibilityTimeout"]) == (1, "60")

        # Another key takes another table; a queue that is refused undoes that.
        failing = {"Notes": table("other", **live), "Jobs": queue(FifoQueue=True), "Late": queue(DelaySeconds=901)}
        update(stacks, "store", template(failing, **told), "UPDATE_ROLLBACK_COMPLETE")
        assert tables.list_tables()["TableNames"] == [there["Notes"]]
        update(stacks, "store", template({"Notes": table("other"), "Jobs": queue(FifoQueue=True)}, **told))
        assert tables.list_tables()["TableNames"] == [physical(stacks, "store")["Notes"]] != [there["Notes"]]
        delete(stacks, "store")
        assert (tables.list_tables()["TableNames"], made) == ([], {})


def test_tables_need_a_real_service(server: EverstepServer):
    stacks = server.client(service="cloudformation")
    arguments = {"StackName": "no-service", "ChangeSetName": "first", "ChangeSetType": "CREATE"}
    stacks.create_change_set(**arguments, TemplateBody=template({"Notes": table("id")}))

    def failed() -> str | None:
        described = stacks.describe_change_set(StackName="no-service", ChangeSetName="first")
        return described.get("StatusReason") if described["Status"] == "FAILED" else None

    reason = eventually("the change set fails", failed)
    assert "Notes (AWS::DynamoDB::Table)" in reason
    assert "[forward.dynamodb]" in reason
    stacks.delete_stack(StackName="no-service")


def test_names_of_services_are_those_of_botocore():
    source = (REPOSITORY / "crates" / "server" / "src" / "forward" / "service.rs").read_text()
    names = NAMES.findall(source)
    assert len(names) > 20
    session = botocore.session.get_session()
    for name, signing_name, variable in names:
        model = session.get_service_model(name)
        assert (model.signing_name, model.service_id.replace(" ", "_").upper()) == (signing_name, variable), name
