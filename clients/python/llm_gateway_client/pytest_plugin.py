"""Collects `*.prompt.yaml`: each test of a prompt is a test of pytest's, asked of the gateway that the environment names.

Prompts are written to the gateway first where `--llm-gateway-push` is given; else a file that differs from what is there fails.
`--llm-gateway-candidate` names providers or models to ask, and may be given several times. `--llm-gateway-timeout` bounds how
long a prompt's tests are waited for, `--llm-gateway-allow-http` lets the key cross a network of your own over plain http.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from llm_gateway_client.answers import TestResult

_SUFFIX = ".prompt.yaml"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("llm-gateway", "tests of prompts")
    group.addoption(
        "--llm-gateway-push", action="store_true", help="write prompts' files to the gateway where they differ"
    )
    group.addoption(
        "--llm-gateway-candidate", action="append", default=[], metavar="MODEL", help="ask this one; several times"
    )
    group.addoption(
        "--llm-gateway-timeout", type=float, default=3600.0, metavar="SECONDS", help="wait so long for a prompt's tests"
    )
    group.addoption(
        "--llm-gateway-allow-http", action="store_true", help="send the key over plain http, on a network of your own"
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "PromptFile | None":
    if file_path.name.endswith(_SUFFIX):
        return PromptFile.from_parent(parent, path=file_path)
    return None


class PromptFile(pytest.File):
    """One prompt. Its tests are run together, when the first of them is wanted, and only those that are."""

    _results: "list[TestResult] | None" = None

    def collect(self) -> Iterator["PromptTest"]:
        from llm_gateway_client.files import FileBroken
        from llm_gateway_client.suites import read_prompt

        try:
            self.prompt = read_prompt(self.path)
        except FileBroken as error:
            raise self.CollectError(str(error)) from None
        tests = self.prompt.get("tests") or []
        if not isinstance(tests, list) or not all(
            isinstance(each, dict) and isinstance(each.get("name"), str) for each in tests
        ):
            raise self.CollectError(f"{self.path}: tests: each needs a name.")
        for test in tests:
            yield PromptTest.from_parent(self, name=test["name"])

    def results_of(self, name: str) -> "list[TestResult]":
        if self._results is None:
            self._results = self._run()
        return [result for result in self._results if result.name == name]

    def _run(self) -> "list[TestResult]":
        from llm_gateway_client import suites
        from llm_gateway_client.cli.places import find
        from llm_gateway_client.synchronous.client import GatewayClient

        wanted = [item.name for item in self.session.items if item.parent is self]
        allow_http: bool = self.config.getoption("--llm-gateway-allow-http")
        try:
            place = find()
            client = GatewayClient(place.url, place.key, allow_http=allow_http)
        except ValueError as error:
            raise PromptFailed(str(error)) from None
        with client:
            stored = suites.find(client, self.prompt["id"])
            changed = suites.changes(self.prompt, stored.model_dump(mode="json")) if stored else ["all of it"]
            if changed and not self.config.getoption("--llm-gateway-push"):
                raise PromptFailed(
                    f"It differs from what the gateway has ({', '.join(changed)}): --llm-gateway-push writes it there."
                )
            current = suites.pushed(client, self.prompt) if changed or stored is None else stored
            candidates: list[Any] = self.config.getoption("--llm-gateway-candidate")
            is_whole = len(wanted) == len(current.tests)
            run = suites.run(
                client,
                current.id,
                version=current.version,
                candidates=candidates,
                only=() if is_whole else wanted,
                tests=len(current.tests),
                timeout_s=self.config.getoption("--llm-gateway-timeout"),
            )
        if run.status == "failed":
            raise PromptFailed(f"The run could not be done: {run.problem}")
        return run.results


class PromptFailed(Exception):
    """What is shown of a test that failed, instead of a traceback."""


class PromptTest(pytest.Item):
    """One test of a prompt, with every candidate."""

    def runtest(self) -> None:
        parent = self.parent
        if not isinstance(parent, PromptFile):
            raise TypeError(f"{self.name} is no test of a prompt's file.")
        failed = [result for result in parent.results_of(self.name) if not result.passed]
        if failed:
            raise PromptFailed("\n".join(map(_told, failed)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from llm_gateway_client.cli.places import NoPlace
        from llm_gateway_client.errors import GatewayError

        if isinstance(excinfo.value, PromptFailed | GatewayError | NoPlace):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


def _told(result: "TestResult") -> str:
    reasons = [f"  {each.type}: {each.detail or 'failed'}" for each in result.assertions if not each.passed]
    return "\n".join([f"{result.candidate} ({result.query_id}):", *reasons])
