"""Keys' limits and budgets as their callers meet them."""

from typing import Any

import pytest
from httpx2 import Response
from llm_gateway.domain.keys import Role

from tests.adapters.travelling_clock import TravellingClock
from tests.entrypoints.conftest import QUERY, QUESTION, Api

KEYS = "/api/v1/llm/keys"
CACHEABLE: dict[str, Any] = {"parameters": {"temperature": 0, "max_output_tokens": 100}}
PATHS = pytest.mark.parametrize("path", [QUERY, f"{QUERY}/stream"])


@pytest.fixture(autouse=True)
def _somebody_to_ask(api: Api) -> None:
    api.register()


def key(api: Api, **said: Any) -> dict[str, str]:
    """The header of a new caller's key."""
    made = api.call("POST", KEYS, {"name": "team", "role": "caller", **said})
    assert made.status_code == 201, made.text
    return {"Authorization": f"Bearer {made.json()['secret']}"}


def ask(api: Api, headers: dict[str, str], path: str = QUERY, **changes: Any) -> Response:
    return api.call("POST", path, QUESTION | {"parameters": {"max_output_tokens": 100}} | changes, headers=headers)


def told(response: Response) -> tuple[str | None, ...]:
    return tuple(response.headers.get(f"RateLimit-{name}") for name in ("Limit", "Remaining", "Reset"))


@PATHS
def test_answers_tell_how_much_room_is_left(api: Api, path: str) -> None:
    limited = key(api, limits={"requests_per_minute": 20})
    heard = [told(ask(api, limited, path)) for _ in range(5)]
    assert [(limit, left) for limit, left, _ in heard] == [("20", left) for left in ("3", "2", "1", "0", "0")]
    # Each takes 60 s / 17 to come back; the requests themselves take a moment, too.
    resets_s = [int(reset_s or -1) for _, _, reset_s in heard]
    assert all(late - 3 <= reset_s <= late for reset_s, late in zip(resets_s, (4, 8, 11, 15, 15), strict=True))


def test_an_acceptance_tells_it_too_and_a_read_costs_nothing(api: Api) -> None:
    limited = key(api, limits={"requests_per_minute": 20})
    accepted = ask(api, limited, mode="async")
    assert told(accepted)[:2] == ("20", "3")
    read = api.call("GET", accepted.json()["status_url"], headers=limited)
    assert told(read) == (None, None, None)
    assert told(ask(api, limited))[:2] == ("20", "2")


def test_a_key_without_a_limit_is_told_of_none(api: Api) -> None:
    assert told(ask(api, key(api))) == (None, None, None)
    assert told(ask(api, key(api, limits={"tokens_per_minute": 100_000}))) == (None, None, None)


@PATHS
@pytest.mark.holds("API4", "LLM10", "STRIDE-D")
def test_over_the_limit_is_429_with_a_true_retry_after(api: Api, path: str) -> None:
    clock = api.gateway.outside.clock
    assert isinstance(clock, TravellingClock)
    limited = key(api, limits={"requests_per_minute": 20, "burst": 1})
    assert ask(api, limited, path).status_code == 200
    refused = ask(api, limited, path)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.json()["detail"] == "The key allows 20 requests in a minute, at most 1 at once."
    assert told(refused)[:2] == ("20", "0")
    assert refused.headers["Retry-After"] in ("2", "3")
    clock.move(seconds=3)
    assert ask(api, limited, path).status_code == 200


def test_a_replay_is_outside_the_limits(api: Api) -> None:
    limited = key(api, limits={"requests_per_minute": 10, "burst": 1}) | {"Idempotency-Key": "once"}
    first = ask(api, limited)
    again = ask(api, limited)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    assert ask(api, limited | {"Idempotency-Key": "twice"}).status_code == 429


def test_a_query_that_is_larger_than_the_limit_is_422(api: Api) -> None:
    refused = ask(api, key(api, limits={"tokens_per_minute": 50}))
    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
    assert refused.json()["errors"][0]["field"] == "messages"


def test_what_a_key_has_spent_is_shown_to_it(api: Api) -> None:
    spender = key(api, budget_usd={"amount": "0.01", "period": "month"})
    answered = ask(api, spender)
    own = api.call("GET", f"{KEYS}/self", headers=spender).json()
    assert own["budget"]["spent_usd"] == answered.json()["cost_usd"] == "0.000011"
    assert own["budget"]["reserved_usd"] == "0"
    assert own["budget"]["remaining_usd"] == "0.009989"
    assert own["budget"]["resets_at"].endswith("-01T00:00:00.000Z")
    ask(api, spender, mode="async")
    own = api.call("GET", f"{KEYS}/self", headers=spender).json()
    assert float(own["budget"]["reserved_usd"]) > 0.0001


def test_over_the_budget_is_429_until_the_period_ends(api: Api) -> None:
    clock = api.gateway.outside.clock
    assert isinstance(clock, TravellingClock)
    spender = key(api, budget_usd={"amount": "0.00001", "period": "day"})
    refused = ask(api, spender)
    assert (refused.status_code, refused.json()["code"]) == (429, "budget_exceeded")
    now = clock.now()
    left_s = 86_400 - (now.hour * 3600 + now.minute * 60 + now.second)
    assert int(refused.headers["Retry-After"]) == pytest.approx(left_s, abs=2)


@pytest.mark.parametrize("named", [{"provider": "local"}, {"model": "local/small"}, {"model": "small"}, {}])
def test_what_a_key_may_not_ask_is_403(api: Api, named: dict[str, Any]) -> None:
    for allow in ({"providers": []}, {"models": ["other-*"]}):
        refused = ask(api, key(api, allow=allow), **named)
        assert (refused.status_code, refused.json()["code"]) == (403, "model_not_allowed")
    assert ask(api, key(api, allow={"providers": ["local"], "models": ["sm*"]}), **named).status_code == 200


def test_an_admin_is_held_to_its_own_limits_too(api: Api) -> None:
    made = api.call(
        "POST", KEYS, {"name": "admin", "role": Role.ADMIN, "limits": {"requests_per_minute": 5, "burst": 1}}
    )
    admin = {"Authorization": f"Bearer {made.json()['secret']}"}
    assert ask(api, admin).status_code == 200
    assert ask(api, admin).status_code == 429
    assert api.call("GET", KEYS, headers=admin).status_code == 200
