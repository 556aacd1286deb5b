"""docs/guide/python.md, run as it stands."""

import re
import sys

import pytest
from llm_gateway_client import errors

from tests.adapters.gateway import FakeGateway
from tests.docs.pages import blocks, page, run
from tests.entrypoints.conftest import PROVIDER
from tests.entrypoints.serving import Serving

PAGE = page("guide/python")
SAID = {
    "What is 2+2?": "Hello!",
    "And who is it for?": "['note']",
    "stream.answer.finish_reason": "Hello!\nstop",
    "gateway.submit": "queued\ncancelled",
    "asyncio.gather": "True\nTrue",
    "errors.ProviderNotFound": "provider_not_found 404 True",
    "longest_wait_s": "ok",
    "SignatureAuth": "succeeded",
    "move_label": "1.0\n1\n5\nlocal 2",
}


@pytest.mark.parametrize("recipe", blocks(PAGE, "python"))
def test_what_is_shown_runs(recipe: str) -> None:
    with Serving(FakeGateway()) as serving:
        assert serving.call("POST", "/api/v1/llm/providers", PROVIDER)[0].status == 201
        url = f"http://127.0.0.1:{serving.port}"
        said = run(sys.executable, "-W", "error", "-c", recipe, GATEWAY_URL=url, GATEWAY_KEY=serving.key)
    expected = [text for mark, text in SAID.items() if mark in recipe]
    assert expected
    assert all(text in said for text in expected[-1:]), said


def test_every_exception_it_names_is_one() -> None:
    for name in re.findall(r"`(?:errors\.)?([A-Z]\w+)`", PAGE.partition("## Errors")[2].partition("## Signing")[0]):
        assert isinstance(getattr(errors, name), type)
