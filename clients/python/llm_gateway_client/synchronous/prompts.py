# Written by `make openapi` from the asynchronous module of the same name; do not edit.
"""Prompts: their versions, labels and tests."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, Unpack

from llm_gateway_client import calls
from llm_gateway_client.answers import (
    ListedTestRun,
    PromptConfig,
    PromptDiff,
    PromptLabel,
    PromptList,
    PromptMetadata,
    PromptPerformance,
    PromptPerformanceList,
    PromptVersion,
    PromptVersionList,
    PromptVersionSummary,
    RenderedPrompt,
    TestRun,
    TestRunList,
)
from llm_gateway_client.calls import Moment
from llm_gateway_client.requests import LabelUpdate, PromptCreate, PromptUpdate, RenderRequest, TestRunCreate
from llm_gateway_client.synchronous.transport import Transport

_LONGEST_RUN_S: Final = 60.0


class Prompts:
    """`client.prompts`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        kind: str | None = None,
        category: str | None = None,
        tag: str | None = None,
        name: str | None = None,
        page_size: int = 100,
    ) -> Iterator[PromptMetadata]:
        """Prompts without their texts; `name` is the beginning of one."""
        call = calls.get("prompts", kind=kind, category=category, tag=tag, name=name, limit=page_size)
        for page in self._transport.pages(call, PromptList):
            for each in page.items:
                yield each

    def create(self, **prompt: Unpack[PromptCreate]) -> PromptConfig:
        """A new prompt, and its first version."""
        return self._transport.send(calls.post("prompts", body=prompt), PromptConfig)

    def get(self, prompt_id: str) -> PromptConfig:
        """A prompt with its newest version."""
        return self._transport.send(calls.get("prompts", prompt_id), PromptConfig)

    def update(
        self, prompt_id: str, prompt: PromptUpdate | Mapping[str, Any], *, if_match: int | None = None
    ) -> PromptConfig:
        """Writes the next version where template, defaults or output change; no label moves but `latest`."""
        return self._transport.send(calls.put("prompts", prompt_id, body=prompt, if_match=if_match), PromptConfig)

    def delete(self, prompt_id: str, *, if_match: int | None = None) -> None:
        """Removes a prompt; its versions can still be read by their numbers."""
        self._transport.respond(calls.delete("prompts", prompt_id, if_match=if_match))

    def versions(self, prompt_id: str, *, page_size: int = 100) -> Iterator[PromptVersionSummary]:
        """Its versions, newest first."""
        call = calls.get("prompts", prompt_id, "versions", limit=page_size)
        for page in self._transport.pages(call, PromptVersionList):
            for each in page.items:
                yield each

    def version(self, prompt_id: str, version: int) -> PromptVersion:
        """One version, whole."""
        return self._transport.send(calls.get("prompts", prompt_id, "versions", version), PromptVersion)

    def diff(self, prompt_id: str, version: int, other: int) -> PromptDiff:
        """What changed from `version` to `other`."""
        return self._transport.send(calls.get("prompts", prompt_id, "versions", version, "diff", other), PromptDiff)

    def render(self, prompt_id: str, **filling: Unpack[RenderRequest]) -> RenderedPrompt:
        """The messages that a query would send; nobody is asked."""
        return self._transport.send(
            calls.post("prompts", prompt_id, "render", body=filling, once=False), RenderedPrompt
        )

    def move_label(
        self, prompt_id: str, label: str, *, if_match: int | None = None, **to: Unpack[LabelUpdate]
    ) -> PromptLabel:
        """Leads a label to a `version`, to several `versions` by weight, or back (`rollback=True`)."""
        return self._transport.send(
            calls.put("prompts", prompt_id, "labels", label, body=to, if_match=if_match), PromptLabel
        )

    def delete_label(self, prompt_id: str, label: str, *, if_match: int | None = None) -> None:
        self._transport.respond(calls.delete("prompts", prompt_id, "labels", label, if_match=if_match))

    def run_tests(self, prompt_id: str, **run: Unpack[TestRunCreate]) -> TestRun:
        """Runs its tests. With `mode="async"` the run is only begun: `test_run` reads it."""
        call = replace(calls.post("prompts", prompt_id, "tests", body=run), read_timeout_s=_LONGEST_RUN_S)
        return self._transport.send(call, TestRun)

    def test_runs(self, prompt_id: str, *, page_size: int = 100) -> Iterator[ListedTestRun]:
        """Stored runs, newest first."""
        call = calls.get("prompts", prompt_id, "tests", limit=page_size)
        for page in self._transport.pages(call, TestRunList):
            for each in page.items:
                yield each

    def test_run(self, prompt_id: str, run_id: str) -> TestRun:
        """One run with its results."""
        return self._transport.send(calls.get("prompts", prompt_id, "tests", run_id), TestRun)

    def performance(
        self,
        prompt_id: str,
        *,
        version: int | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        bucket: str | None = None,
        page_size: int = 100,
    ) -> Iterator[PromptPerformance]:
        """What its versions' queries have come to; the last 24 hours, a row for each version, or for each `bucket` too."""
        call = calls.get("prompts", prompt_id, "performance").with_params(
            version=version, from_=since, to=until, bucket=bucket, limit=page_size
        )
        for page in self._transport.pages(call, PromptPerformanceList):
            for each in page.items:
                yield each
