"""Pages of other origins: none may call the API from a browser, but those whose origins are named, exactly."""

from collections.abc import Callable
from typing import Final

import pytest
from llm_gateway.access import PAGE_READS, PAGE_SENDS
from llm_gateway.domain.keys import Role
from llm_gateway.entrypoints.http import app_of
from llm_gateway.entrypoints.server import local_app
from llm_gateway.settings import Settings, origins
from starlette.applications import Starlette
from starlette.testclient import TestClient

from functions.__main__ import every_endpoint
from tests.adapters.gateway import FakeGateway
from tests.entrypoints.conftest import PROVIDERS, QUERY

APP, OTHER = "https://app.example.com", "http://localhost:3000"
STRANGERS = [
    "https://evil.example",
    "https://app.example.com.evil.example",
    "https://appxexample.com",
    "https://app.example.com:8443",
    "http://app.example.com",
    "https://APP.example.com",
    "https://app.example.com/",
    "null",
    "*",
    "",
]
Serving = Callable[..., TestClient]


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Serving:
    gateway = FakeGateway()
    key = gateway.new_key(Role.ADMIN)[1]

    def serve(named: str | None, *, local: bool = False) -> TestClient:
        if named is not None:
            monkeypatch.setenv("CORS_ORIGINS", named)
        app: Starlette
        if local:
            app = local_app(every_endpoint(), host="127.0.0.1")
            app.state.gateway = lambda: gateway
        else:
            app = app_of(*every_endpoint(), gateway=lambda: gateway)
        client = TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)
        client.headers["Authorization"] = f"Bearer {key}"
        return client

    return serve


def preflight(client: TestClient, origin: str, *, method: str = "POST", sends: str = "authorization") -> dict[str, str]:
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": sends}
    answer = client.options(QUERY, headers=asked)
    return told(dict(answer.headers)) | {"ok": str(answer.is_success)}


def told(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name.lower().startswith("access-control-")}


@pytest.mark.parametrize("named", [None, "", " , "])
@pytest.mark.holds("API8")
def test_none_may_where_none_is_named(serving: Serving, named: str | None) -> None:
    client = serving(named)
    assert preflight(client, APP) == {"ok": "False"}
    assert told(dict(client.get(PROVIDERS, headers={"Origin": APP}).headers)) == {}


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("origin", [APP, OTHER])
def test_a_named_one_may_without_a_browsers_credentials(serving: Serving, origin: str, local: bool) -> None:
    client = serving(f"{APP}, {OTHER}", local=local)
    before = preflight(client, origin, sends=", ".join(PAGE_SENDS).lower())
    assert (before["ok"], before["access-control-allow-origin"]) == ("True", origin)
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= set(before["access-control-allow-methods"].split(", "))
    assert "access-control-allow-credentials" not in before
    for status, path in ((200, PROVIDERS), (404, f"{PROVIDERS}/nobody"), (404, "/nowhere")):
        answer = client.get(path, headers={"Origin": origin, "Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == status, answer.text
        assert told(dict(answer.headers)) == {
            "access-control-allow-origin": origin,
            "access-control-expose-headers": ", ".join(PAGE_READS),
        }
        assert "Origin" in answer.headers["Vary"]


# What the vendors' SDKs for JavaScript send from a page.
_WITH_EACH: Final = (
    *(
        "content-type",
        "user-agent",
        "x-stainless-arch",
        "x-stainless-lang",
        "x-stainless-os",
        "x-stainless-package-version",
    ),
    *("x-stainless-retry-count", "x-stainless-runtime", "x-stainless-runtime-version", "x-stainless-timeout"),
)
SDKS: Final = {
    "openai": ("authorization", "openai-organization", "openai-project"),
    "openai's stream": ("authorization", "x-stainless-helper-method"),
    "openai's poll": ("authorization", "x-stainless-poll-helper", "x-stainless-custom-poll-interval"),
    "anthropic": ("anthropic-dangerous-direct-browser-access", "anthropic-version", "x-api-key"),
    "anthropic's tool runner": ("anthropic-beta", "anthropic-version", "x-api-key", "x-stainless-helper"),
}


@pytest.mark.parametrize("sdk", SDKS)
def test_a_vendors_sdk_may_send_from_a_page_what_it_sends(serving: Serving, sdk: str) -> None:
    assert preflight(serving(APP), APP, sends=", ".join(sorted((*_WITH_EACH, *SDKS[sdk]))))["ok"] == "True"


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.holds("API8")
def test_no_other_may(serving: Serving, stranger: str, local: bool) -> None:
    client = serving(f"{APP},{OTHER}", local=local)
    before = preflight(client, stranger)
    assert (before["ok"], before.get("access-control-allow-origin")) == ("False", None)
    answer = client.get(PROVIDERS, headers={"Origin": stranger, "Sec-Fetch-Site": "cross-site"})
    assert "access-control-allow-origin" not in answer.headers
    assert answer.status_code == (403 if local else 200)


def test_a_local_server_has_no_name_but_its_own_for_a_named_one_either(serving: Serving) -> None:
    answer = serving(APP, local=True).get(PROVIDERS, headers={"Origin": APP, "Host": "rebind.evil.example"})
    assert answer.status_code == 403


def test_what_a_page_sends_otherwise_and_how_is_not_let_in(serving: Serving) -> None:
    client = serving(APP)
    assert preflight(client, APP, sends="cookie")["ok"] == "False"
    assert preflight(client, APP, method="TRACE")["ok"] == "False"


@pytest.mark.parametrize(
    "wrong",
    [
        "*",
        f"{APP},*",
        "https://*.example.com",
        "null",
        "app.example.com",
        "http://app.example.com",
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://App.example.com",
        "https://app.example.com:443",
        "http://localhost:80",
        "https://app.example.com:99999",
        "https://user@app.example.com",
        "https://app.example.com https://b.example.com",
        "ftp://app.example.com",
        "https://",
        ",".join(f"https://a{number}.example.com" for number in range(21)),
    ],
)
def test_what_is_no_exact_origin_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"^CORS_ORIGINS must list"):
        Settings.from_environment({"CORS_ORIGINS": wrong})


def test_origins_are_read_as_a_browser_sends_them() -> None:
    assert origins("x", f"{APP}, {APP} ,{OTHER},") == (APP, OTHER)
    assert origins("x", "http://127.0.0.1:5173,http://[::1]:5173") == ("http://127.0.0.1:5173", "http://[::1]:5173")
    assert Settings.from_environment({}).cors_origins == ""
    assert Settings.from_environment({"CORS_ORIGINS": f" {APP}, {OTHER}"}).cors_origins == f"{APP},{OTHER}"
