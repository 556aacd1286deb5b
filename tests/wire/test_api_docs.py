"""The API's pages about itself: they need nobody else, run nothing but their own, and tell of every error."""

import base64
import hashlib
import re

import pytest
from llm_gateway import errors
from llm_gateway.domain import faults
from llm_gateway.wire.api_docs import docs_page, error_page, policy_of
from llm_gateway.wire.error_codes import ERROR_CODES

from tests.entrypoints.contract import CODES

# What became of one candidate; no request ends in them.
_OF_ATTEMPTS = {"provider_disabled", "circuit_open", "cancelled"}


def _raised(kind: type[errors.GatewayError]) -> set[tuple[str, int]]:
    own = {(kind.code, kind.status)} if "code" in vars(kind) else set()
    return own.union(*(_raised(below) for below in kind.__subclasses__()))


def test_every_code_of_the_contract_has_its_page() -> None:
    assert {(code, error.status) for code, error in ERROR_CODES.items()} == {
        (code, status) for status, codes in CODES.items() for code in codes
    }


def test_every_code_that_is_raised_has_its_page() -> None:
    assert issubclass(faults.ProviderFault, errors.GatewayError)
    told = {(code, status) for code, status in _raised(errors.GatewayError) if code not in _OF_ATTEMPTS}
    assert told <= {(code, error.status) for code, error in ERROR_CODES.items()}


@pytest.mark.parametrize("code", ERROR_CODES)
def test_a_page_says_what_an_error_means_and_what_to_do(code: str) -> None:
    page, error = error_page(code), ERROR_CODES[code]
    assert f"{error.status} <code>{code}</code>" in page
    assert page.count("<p>") == 3
    assert "`" not in page
    assert error.meaning.endswith(".")
    assert error.remedy.endswith(".")
    assert "<script" not in page


@pytest.mark.parametrize("code", ["", "nothing", "<script>", "RATE_LIMITED", "../docs"])
def test_there_is_no_page_for_what_is_no_code(code: str) -> None:
    with pytest.raises(errors.GatewayError) as raised:
        error_page(code)
    assert (raised.value.status, raised.value.code) == (404, "route_not_found")


@pytest.mark.parametrize("page", [docs_page(), error_page("rate_limited")], ids=["docs", "error"])
def test_a_page_needs_no_other_host(page: str) -> None:
    assert not re.search(r"https?://|(?:src|href)=\"//", page)
    assert not re.search(r"<(?:script|style|link|img|iframe)\s", page)
    assert not re.search(r"\s(?:style|on\w+)=", page)


@pytest.mark.parametrize("page", [docs_page(), error_page("rate_limited")], ids=["docs", "error"])
def test_nothing_runs_on_a_page_but_what_it_came_with(page: str) -> None:
    policy = policy_of(page)["Content-Security-Policy"]
    sources = dict(part.split(" ", 1) for part in policy.split("; "))
    assert sources["default-src"] == sources["base-uri"] == sources["frame-ancestors"] == "'none'"
    for kind in ("script", "style"):
        texts = re.findall(rf"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        assert page.count(f"<{kind}") == page.count(f"</{kind}>") == len(texts)
        wanted = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts}
        assert set(re.findall(r"'sha256-([^']+)'", sources.get(f"{kind}-src", ""))) == wanted
    assert "unsafe" not in policy


def test_the_docs_page_may_call_its_own_api_and_nobody_elses() -> None:
    assert "connect-src 'self'" in policy_of(docs_page())["Content-Security-Policy"]
    assert "connect-src" not in policy_of(error_page("rate_limited"))["Content-Security-Policy"]


def test_the_docs_page_makes_no_markup_of_what_it_is_answered() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", docs_page())
