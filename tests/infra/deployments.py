"""Templates of whole deployments, synthesized once, and the questions that tests ask them."""

import atexit
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aws_cdk import App
from llm_gateway.access import Area, Endpoint
from llm_gateway.endpoints import AREAS, SCHEDULES, WORKERS

from app import add_stacks
from tests.infra.lint import check

ROOT = Path(__file__).parents[2]
Resource = dict[str, Any]


def stack_of(area: Area) -> str:
    """What the area's stack is called here."""
    return area.value.replace("-", "_")


# Settings that have nothing to do with one another: their tests share one synthesis, which takes as long as hundreds of tests.
UNUSUAL = {
    "retentionDays": "7",
    "logRetentionDays": "7",
    "waitingConcurrency": "20",
    "alarmEmail": "operator@example.com",
    "dashboards": "off",
    "otlpEndpoint": "https://collector.example.com:4318",
    "streaming": "buffered",
    "architecture": "x86_64",
    "python": "3.12",
    "localModel": "fargate",
    "auditLock": "on",
    "auditLockMode": "compliance",
    "auditLockDays": "30",
}
HEAVIEST = {
    "stage": "prod",
    "tracing": "on",
    "waf": "on",
    "localModel": "fargate",
    "alarmEmail": "operator@example.com",
}
BEDROCK = {
    "bedrock": "on",
    "bedrockModels": "amazon.nova-lite-v1:0,us.anthropic.claude-sonnet-4-5-20250929-v1:0",
}
OWN_MODELS = {
    "stage": "prod",
    "localModel": "lambda",
    "bedrock": "on",
    "bedrockModels": "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123",
}
# Some of each area's functions: what a setting does to stacks can be seen on them.
FEW = {area: rows[:3] for area, rows in AREAS.items()}
# The stack of each function, by the name of its row.
STACKS = {row.name: stack_of(area) for area, rows in AREAS.items() for row in rows} | {
    row.name: "worker" for row in (*WORKERS, *SCHEDULES)
}


@dataclass(frozen=True, slots=True)
class Template:
    """One stack's template."""

    body: dict[str, Any]

    def of_type(self, type_: str) -> dict[str, Resource]:
        """Its resources of a type, by logical id."""
        return {id_: resource for id_, resource in self.body["Resources"].items() if resource["Type"] == type_}

    def properties(self, type_: str) -> list[dict[str, Any]]:
        """The properties of its resources of a type."""
        return [resource.get("Properties", {}) for resource in self.of_type(type_).values()]

    def functions(self) -> dict[str, dict[str, Any]]:
        """The properties of its functions, by the name of their row."""
        functions = self.properties("AWS::Lambda::Function")
        return {properties["FunctionName"].split("-", 3)[-1]: properties for properties in functions}

    def statements(self, row: str) -> dict[str, dict[str, Any]]:
        """What the function of a row may do: the statements of its role, by their names."""
        (role,) = [
            body for id_, body in self.of_type("AWS::IAM::Role").items() if id_.startswith(_logical(row, "Role"))
        ]
        (policy,) = role["Properties"]["Policies"]
        return {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}


@dataclass(frozen=True, slots=True)
class Deployed:
    """Every stack of a deployment."""

    templates: dict[str, Template]
    report: dict[str, Any]
    output: Path

    def images(self, stack: str) -> list[dict[str, Any]]:
        """How each image that a stack needs is built."""
        (assets,) = self.output.glob(f"*-{stack}.assets.json")
        images = json.loads(assets.read_text())["dockerImages"]
        return [image["source"] for image in images.values()]

    def having(self, row: str) -> Template:
        """The stack that has the function of a row."""
        return self.templates[STACKS[row]]

    def functions(self) -> dict[str, dict[str, Any]]:
        """The properties of every function of the table, by the name of its row."""
        return {row: self.having(row).functions()[row] for row in STACKS}

    def __getattr__(self, stack: str) -> Template:
        return self.templates[stack]

    def __iter__(self) -> Iterator[Template]:
        return iter(self.templates.values())


def deployed(**settings: str) -> Deployed:
    """The templates of a deployment with `cdk.json`'s settings and these; no layer is built for it.

    Raises AssertionError for what cfn-lint finds in them.
    """
    return _found(_tried(all_rows=True, **settings))


def few(**settings: str) -> Deployed:
    """The same with a few functions alone, in half the time."""
    return _found(_tried(all_rows=False, **settings))


def _found(tried: Deployed | Exception) -> Deployed:
    if isinstance(tried, Exception):
        raise tried
    return tried


@cache
def _tried(*, all_rows: bool, **settings: str) -> Deployed | Exception:
    """A failure is kept, too: every test would otherwise take the time for it again."""
    try:
        return _checked(AREAS if all_rows else FEW, settings)
    except Exception as failure:
        return failure


def _checked(areas: Mapping[Area, Sequence[Endpoint]], settings: Mapping[str, str]) -> Deployed:
    deployment = synthesized(areas, **settings)
    for name, template in deployment.templates.items():
        check(f"{name} with {settings}", template.body)
    return deployment


def synthesized(areas: Mapping[Area, Sequence[Endpoint]], **settings: str) -> Deployed:
    """The same for another table. cfn-lint does not look at it: rows that are made up have the resources of others."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    # Kept until the tests end: CDK reads its assembly again when it reports.
    output = Path(tempfile.mkdtemp(prefix="llm-gateway-"))
    atexit.register(shutil.rmtree, output, ignore_errors=True)
    app = App(context={**context, **settings, "aws:cdk:bundling-stacks": []}, outdir=str(output))
    add_stacks(app, areas)
    app.synth()
    return Deployed(_templates(output), json.loads((output / "validation-report.json").read_text()), output)


def _templates(output: Path) -> dict[str, Template]:
    files = sorted(output.glob("*.template.json"))
    return {_stack(file): Template(json.loads(file.read_text())) for file in files}


def _stack(file: Path) -> str:
    # llm-gateway-dev-local-model.template.json is the stack local_model.
    return "_".join(file.name.removesuffix(".template.json").split("-")[3:])


def _logical(row: str, kind: str) -> str:
    return f"Functions{row.replace('_', '')}{kind}"
