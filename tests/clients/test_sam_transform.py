"""The SAM transform beside AWS's own translator: the same templates, the same answers.

The templates are in `sam/`, several in a file. `Test` in one says with which parameters and in which region.
"""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

import sam_templates
from everstep_server import BINARY, REGION

TRANSFORM = BINARY.parent / "examples" / "transform"
"""Our transform as a program: a template per line, an answer per line."""


def templates() -> Iterator[Any]:
    """Return the texts of all templates, as parameters of a test."""
    for path in sorted((Path(__file__).parent / "sam").glob("*.yaml")):
        for number, text in enumerate(path.read_text().split("\n---\n")):
            yield pytest.param(text, id=f"{path.stem}-{number}")


def theirs(template: dict[str, Any], parameters: dict[str, str], region: str) -> dict[str, Any]:
    """Return what AWS's translator makes of a template, or what it says is wrong."""
    from boto3 import Session
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    translator = Translator(None, Parser(), boto_session=Session(region_name=region))
    try:
        return {"template": translator.translate(template, parameters)}
    except InvalidDocumentException as problem:
        return {"problems": [cause.message for cause in problem.causes]}


def ours(requests: list[tuple[dict[str, Any], dict[str, str], str]]) -> list[dict[str, Any]]:
    """Return what Everstep makes of templates, each with its parameters and its region."""
    lines = [
        {
            "template": template,
            "parameters": parameters,
            "partition": "aws-cn" if region.startswith("cn-") else "aws",
            "region": region,
        }
        for template, parameters, region in requests
    ]
    text = "\n".join(map(json.dumps, lines))
    done = subprocess.run([TRANSFORM], input=text, capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


def alike(value: Any) -> Any:
    """Return a value without the differences that are on purpose.

    Tags are in order of their keys, problems in that of the logical ids. An action or resource of a policy may stand
    in a list of one. Conditions that AWS's translator joins are wrapped twice, which CloudFormation does not take.
    """
    if isinstance(value, list):
        return [alike(item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {name: alike(member) for name, member in value.items()}
    if isinstance(result.get("Tags"), list):
        result["Tags"].sort(key=lambda tag: tag["Key"])
    if isinstance(result.get("problems"), list):
        result["problems"].sort()
    if isinstance(result.get("Condition"), dict) and list(result["Condition"]) == ["Condition"]:
        return result["Condition"]
    for name in ("Action", "Resource"):
        if isinstance(result.get(name), list) and len(result[name]) == 1:
            result[name] = result[name][0]
    return result


def check(template: dict[str, Any], parameters: dict[str, str] | None = None, region: str = REGION) -> None:
    """Check that both say the same of a template."""
    template = {"Transform": "AWS::Serverless-2016-10-31"} | template
    [answer] = ours([(template, parameters or {}, region)])
    expected = theirs(template, parameters or {}, region)
    assert alike(answer) == alike(json.loads(json.dumps(expected)))


def function(**properties: Any) -> dict[str, Any]:
    """Return a function with these properties too."""
    common = {"Runtime": "python3.13", "Handler": "app.handler", "CodeUri": "s3://bucket/key"}
    return {"Type": "AWS::Serverless::Function", "Properties": common | properties}


@pytest.mark.parametrize("text", list(templates()))
def test_a_template_becomes_what_aws_makes_of_it(text: str):
    from samtranslator.yaml_helper import yaml_parse

    template = yaml_parse(text)
    check(template, **template.pop("Test", {}))


def test_policy_templates_are_those_of_aws():
    from samtranslator.policy_template_processor.processor import PolicyTemplatesProcessor

    templates = PolicyTemplatesProcessor.get_default_policy_templates_json()["Templates"]
    policies = [
        {name: {parameter: {"Ref": parameter} for parameter in template["Parameters"]}}
        for name, template in templates.items()
    ]
    assert len(policies) > 80
    check({"Resources": {"Function": function(Policies=policies)}})


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1"])
def test_managed_policies_are_found_by_name(region: str):
    from samtranslator.internal.managed_policies import get_bundled_managed_policy_map

    policies = get_bundled_managed_policy_map("aws-cn" if region.startswith("cn-") else "aws")
    names = [name for name, arn in policies.items() if "/aws-service-role/" not in arn]
    assert len(names) > 400
    check({"Resources": {"Function": function(Policies=names)}}, region=region)


def test_templates_at_random_become_what_aws_makes_of_them():
    random = Random(20161031)
    parameters = {"Given": "Disabled"}
    templates = [sam_templates.template(random) for _ in range(200)]
    answers = ours([(template, parameters, REGION) for template in templates])
    assert sum("template" in answer for answer in answers) > 50
    for template, answer in zip(templates, answers, strict=True):
        expected = theirs(copy.deepcopy(template), parameters, REGION)
        assert alike(answer) == alike(json.loads(json.dumps(expected))), json.dumps(template)
