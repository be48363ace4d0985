"""Deploys the examples with AWS's own tools, as they are on PyPI and npm, and prints what passed.

SAM CLI, AWS CLI and CDK get a server's URL and key in their environment and nothing else. Each thing that a tool is
asked to do is a row of the table; what a row needs from an earlier one that failed, fails as well.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "clients"))

from everstep_server import EverstepServer, eventually  # noqa: E402

SMALL = {"id": "e-1", "amount": 5}
LARGE = {"id": "e-2", "amount": 500}
APPROVED = {"approved": True, "by": "ada"}
CAPABILITIES = ("--capabilities", "CAPABILITY_IAM")
PYTHON = f"PythonRuntime=python{sys.version_info.major}.{sys.version_info.minor}"
"""SAM builds with the Python that is there; the examples ask for one that AWS has."""


class Table:
    """What was tried, and what became of it."""

    def __init__(self) -> None:
        """Begin with nothing tried."""
        self.rows: list[tuple[str, str, bool]] = []

    @contextmanager
    def row(self, tool: str, what: str) -> Iterator[None]:
        """Try something; what it raises is shown, and counts as failed."""
        print(f"  {tool} {what} …", flush=True)
        try:
            yield
        except Exception:
            traceback.print_exc()
            self.rows.append((tool, what, False))
        else:
            self.rows.append((tool, what, True))

    def show(self) -> bool:
        """Print the table; return whether everything passed."""
        width = max(len(f"{tool} {what}") for tool, what, _ in self.rows)
        print()
        for tool, what, passed in self.rows:
            print(f"{f'{tool} {what}':<{width}}  {'passed' if passed else 'FAILED'}")
        failed = sum(not passed for *_, passed in self.rows)
        print(f"\n{len(self.rows) - failed} passed, {failed} failed")
        return failed == 0


class Tool:
    """One of AWS's tools, which talks to the server."""

    def __init__(self, program: Path, directory: Path, environment: dict[str, str]) -> None:
        """Name its program, the directory it works in, and its environment."""
        self.program = program
        self.directory = directory
        self.environment = environment

    def __call__(self, *arguments: str) -> str:
        """Run it; return what it printed. It must succeed."""
        done = subprocess.run(
            [str(self.program), *arguments],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.returncode != 0:
            command = f"{self.program.name} {' '.join(arguments)}"
            raise RuntimeError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """Run it; return what it printed, read as JSON."""
        return json.loads(self(*arguments))


def sam_lifecycle(table: Table, sam: Tool, server: EverstepServer) -> None:
    """Take a durable function that waits for a person through everything that SAM CLI does."""
    stack = "sam-approval"
    name = ("--stack-name", stack)
    deploy = ("deploy", *name, "--resolve-s3", "--no-confirm-changeset", *CAPABILITIES, "--parameter-overrides")

    with table.row("sam", "build"):
        sam("build", "--parameter-overrides", PYTHON)
    with table.row("sam", "deploy: create"):
        sam(*deploy, PYTHON)
    with table.row("sam", "deploy: nothing changed"):
        sam(*deploy, PYTHON, "--no-fail-on-empty-changeset")
    with table.row("sam", "deploy: update"):
        sam(*deploy, PYTHON, "--tags", "team=expenses")
    with table.row("sam", "list resources"):
        listed = sam.json("list", "resources", *name, "--output", "json")
        assert {"Approval", "ApprovalRole"} <= {resource["LogicalResourceId"] for resource in listed}, listed
    with table.row("sam", "list stack-outputs"):
        outputs = sam.json("list", "stack-outputs", *name, "--output", "json")
        assert [output["OutputKey"] for output in outputs] == ["Function"], outputs
    with table.row("sam", "list endpoints"):
        sam.json("list", "endpoints", *name, "--output", "json")
    with table.row("sam", "remote invoke"):
        event = ("--parameter", "InvocationType=Event")
        sam("remote", "invoke", "Approval", *name, "--event", json.dumps(SMALL), *event)

    function = output_of(server, stack)

    def begin(execution: str) -> str:
        sam(
            *("remote", "invoke", "Approval", *name, "--event", json.dumps(LARGE)),
            *("--parameter", "InvocationType=Event", "--durable-execution-name", execution),
        )
        wanted = {"FunctionName": function, "DurableExecutionName": execution}
        found = server.client().list_durable_executions_by_function(**wanted)
        return found["DurableExecutions"][0]["DurableExecutionArn"]

    def callback(arn: str) -> str:
        def waits() -> str | None:
            events = sam.json("remote", "execution", "history", arn, "--format", "json")["Events"]
            started = (event["CallbackStartedDetails"] for event in events if event["EventType"] == "CallbackStarted")
            return next((details["CallbackId"] for details in started), None)

        return eventually("a callback", waits)

    def ended(arn: str, status: str) -> None:
        def is_over() -> bool:
            found = sam.json("remote", "execution", "get", arn, "--format", "json")["Status"]
            assert found in (status, "RUNNING"), found
            return found == status

        eventually(f"an execution that {status}", is_over)

    with table.row("sam", "remote execution get, history; remote callback heartbeat, succeed"):
        arn = begin("succeeds")
        waiting = callback(arn)
        sam("remote", "callback", "heartbeat", waiting)
        sam("remote", "callback", "succeed", waiting, "--result", json.dumps(APPROVED))
        ended(arn, "SUCCEEDED")
    with table.row("sam", "remote callback fail"):
        arn = begin("fails")
        sam("remote", "callback", "fail", callback(arn), "--error-type", "Lost", "--error-message", "nobody is there")
        ended(arn, "FAILED")
    with table.row("sam", "remote execution stop"):
        arn = begin("stops")
        callback(arn)
        sam("remote", "execution", "stop", arn, "--error-message", "enough")
        ended(arn, "STOPPED")
    with table.row("sam", "logs"):
        assert "callbackId" in sam("logs", "--name", "Approval", *name)
    with table.row("sam", "delete"):
        sam("delete", *name, "--no-prompts")
        assert function not in functions(server)


def cloudformation_lifecycle(table: Table, sam: Tool, aws: Tool, server: EverstepServer) -> None:
    """Take an order through AWS CLI's CloudFormation commands; SAM builds it."""
    stack = "cli-order"
    name = ("--stack-name", stack)
    packaged = str(aws.directory / "packaged.yaml")

    with table.row("aws", "s3 mb"):
        aws("s3", "mb", "s3://everstep-artifacts")
    with table.row("aws", "cloudformation package"):
        sam("build", "--parameter-overrides", PYTHON)
        built = str(sam.directory / ".aws-sam" / "build" / "template.yaml")
        package = ("package", "--s3-bucket", "everstep-artifacts", "--output-template-file", packaged)
        aws("cloudformation", *package, "--template-file", built)
    with table.row("aws", "cloudformation deploy"):
        deploy = ("deploy", *name, "--template-file", packaged, *CAPABILITIES)
        aws("cloudformation", *deploy, "--parameter-overrides", PYTHON)
        aws("cloudformation", "wait", "stack-create-complete", *name)
    with table.row("aws", "cloudformation deploy: nothing changed"):
        aws("cloudformation", *deploy, "--parameter-overrides", PYTHON, "--no-fail-on-empty-changeset")
    with table.row("aws", "lambda invoke"):
        order = {"id": "o-1", "items": ["tea"], "card": "4000-0000", "address": "here"}
        result = aws.directory / "order.json"
        invoke = ("invoke", "--function-name", f"{output_of(server, stack)}:$LATEST", "--payload", json.dumps(order))
        aws("lambda", *invoke, str(result))
        assert json.loads(result.read_text())["undone"] == ["release"]
    with table.row("aws", "cloudformation describe-stacks, describe-stack-resources, describe-stack-events"):
        described = aws.json("cloudformation", "describe-stacks", *name, "--output", "json")["Stacks"][0]
        assert described["StackStatus"] == "CREATE_COMPLETE", described
        aws("cloudformation", "describe-stack-resources", *name)
        aws("cloudformation", "describe-stack-events", *name)
    with table.row("aws", "cloudformation delete-stack, wait stack-delete-complete"):
        function = output_of(server, stack)
        aws("cloudformation", "delete-stack", *name)
        aws("cloudformation", "wait", "stack-delete-complete", *name)
        assert function not in functions(server)
    with table.row("aws", "s3 rb"):
        aws("s3", "rb", "s3://everstep-artifacts", "--force")


def cdk_lifecycle(table: Table, cdk: Tool, server: EverstepServer) -> None:
    """Take a CDK app through its life."""
    with table.row("cdk", "deploy without bootstrap"):
        cdk("deploy", "--require-approval", "never", "--no-notices")
    with table.row("cdk", "the function that was deployed"):
        function = output_of(server, "human-approval-cdk")
        asked = {"FunctionName": function, "Qualifier": "$LATEST", "Payload": json.dumps(SMALL)}
        assert server.client().invoke(**asked, InvocationType="Event")["StatusCode"] == 202
    with table.row("cdk", "diff"):
        cdk("diff", "--fail", "--no-notices")
    with table.row("cdk", "destroy"):
        cdk("destroy", "--force", "--no-notices")
        assert function not in functions(server)
    with table.row("cdk", "bootstrap"):
        cdk("bootstrap", "--no-notices")
    with table.row("cdk", "bootstrap: nothing changed"):
        cdk("bootstrap", "--no-notices")
        [toolkit] = server.client(service="cloudformation").describe_stacks(StackName="CDKToolkit")["Stacks"]
        assert toolkit["StackStatus"] == "CREATE_COMPLETE", toolkit
    with table.row("cdk", "deploy, destroy with what was bootstrapped"):
        cdk("deploy", "--require-approval", "never", "--no-notices")
        cdk("destroy", "--force", "--no-notices")


def output_of(server: EverstepServer, stack: str) -> str:
    """Return the function that a stack deployed: its output of that name."""
    [described] = server.client(service="cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return next(output["OutputValue"] for output in described["Outputs"] if output["OutputKey"] == "Function")


def functions(server: EverstepServer) -> set[str]:
    """Return the names of the functions that there are."""
    pages = server.client().get_paginator("list_functions").paginate()
    return {function["FunctionName"] for page in pages for function in page["Functions"]}


def main() -> None:
    """Run everything, or the tools that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sam", type=Path, required=True, help="SAM CLI's program")
    parser.add_argument("--aws", type=Path, required=True, help="AWS CLI's program")
    parser.add_argument("--only", choices=["sam", "aws", "cdk"], help="only this tool")
    arguments = parser.parse_args()
    table = Table()
    with (
        tempfile.TemporaryDirectory(prefix="everstep-tools-") as scratch,
        EverstepServer(Path(scratch) / "data") as server,
    ):
        directory = Path(scratch)
        shutil.copytree(REPOSITORY / "examples", directory / "examples", ignore=shutil.ignore_patterns("node_modules"))
        environment = server.environment() | {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.5", "HOME": scratch}

        def tool(program: Path, where: str) -> Tool:
            return Tool(program, directory / "examples" / where, environment)

        approval, order, app = "human-approval/python", "order-payment/python", "human-approval/cdk"
        sam, aws = arguments.sam, arguments.aws
        lifecycles: dict[str, Callable[[], None]] = {
            "sam": lambda: sam_lifecycle(table, tool(sam, approval), server),
            "aws": lambda: cloudformation_lifecycle(table, tool(sam, order), tool(aws, order), server),
            "cdk": lambda: cdk_lifecycle(table, tool(install_cdk(directory / "examples" / app), app), server),
        }
        for name, lifecycle in lifecycles.items():
            if arguments.only in (None, name):
                print(f"── {name}", flush=True)
                lifecycle()
    sys.exit(0 if table.show() else 1)


def install_cdk(app: Path) -> Path:
    """Install the CDK that an app names; return its program."""
    npm = shutil.which("npm") or "npm"
    install = [npm, "install", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(install, cwd=app, stdin=subprocess.DEVNULL, check=True, timeout=600)
    return app / "node_modules" / ".bin" / "cdk"


if __name__ == "__main__":
    main()
