"""`make smoke URL=… KEY=…`: a few calls tell whether a deployed gateway works, from its door to a provider's answer.

What it asks a provider costs a fraction of a cent, and is erased again.
"""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from operations.calling import API, Answer, BrokenAnswer, Deployed, WrongAddress, checked

QUESTION: Final[Mapping[str, Any]] = {
    "messages": [{"role": "user", "content": "Answer with the single word: ready"}],
    "parameters": {"max_output_tokens": 200},
    "cache": "bypass",
}
MAY_SKIP: Final = "--without-provider"
LATER_S: Final = 90.0
POLL_S: Final = 1.0
_ID: Final = re.compile(r"qry_[A-Za-z0-9]{1,64}")


class Wrong(Exception):
    """A check that failed; its text says how."""


class LeftOut(Exception):
    """A check that cannot be made there; its text says why."""


def public(gateway: Deployed) -> None:
    """It is up, and describes itself."""
    health = _require(gateway.call("GET", "/health", with_key=False), 200)
    _hold(health.get("status") == "ok", f"/health says {health}")
    described = _require(gateway.call("GET", "/openapi.json", with_key=False), 200)
    paths = described.get("paths")
    _hold(isinstance(paths, dict) and f"{API}/query" in paths, f"its description has no {API}/query")


def closed(gateway: Deployed) -> None:
    """Without a key there is no way in, and what is refused is told as a problem."""
    for path, status, code in ((f"{API}/providers", 401, "unauthenticated"), ("/nothing", 404, "route_not_found")):
        answer = gateway.call("GET", path, with_key=False)
        told = answer.json().get("code")
        _hold((answer.status, told) == (status, code), f"{path} answers {answer.status} {told}, not {status} {code}")


def key(gateway: Deployed) -> None:
    """The key is good."""
    shown = _require(gateway.call("GET", f"{API}/keys/self"), 200)
    _hold(shown.get("status") == "active", f"the key is {shown.get('status')}")


def answers(gateway: Deployed) -> None:
    """A provider answers, and the answer can be read again."""
    _provider(gateway)
    answer = _require(gateway.call("POST", f"{API}/query", QUESTION), 200)
    query_id = _id(answer.get("id"))
    with _erased(gateway, query_id):
        _hold(bool(_text(answer)), "the answer has no text")
        again = _require(gateway.call("GET", f"{API}/query/{query_id}/result"), 200)
        _hold(again.get("output") == answer.get("output"), "the answer that is read again is another one")


def answers_later(gateway: Deployed) -> None:
    """The queue and its worker do their part."""
    _provider(gateway)
    accepted = _require(gateway.call("POST", f"{API}/query", {**QUESTION, "mode": "async"}), 202)
    query_id = _id(accepted.get("id"))
    with _erased(gateway, query_id):
        deadline = time.monotonic() + LATER_S
        while (told := _require(gateway.call("GET", f"{API}/query/{query_id}/status"), 200)).get("status") in (
            "queued",
            "running",
        ):
            _hold(time.monotonic() < deadline, f"the query is still {told['status']} after {LATER_S:.0f} s")
            time.sleep(POLL_S)
        _hold(told.get("status") == "succeeded", f"the query is {told.get('status')}: {told.get('error')}")


def streams(gateway: Deployed) -> None:
    """A stream begins, goes on, and says that it is over."""
    _provider(gateway)
    answer = gateway.call("POST", f"{API}/query/stream", QUESTION)
    _require(answer, 200, decoded={})
    lines = answer.body.decode(errors="replace").splitlines()
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    with _erased(gateway, _id(answer.headers.get("X-Gateway-Query-Id"))):
        _hold(names[:1] + names[-1:] == ["query", "done"], f"it begins with {names[:1]} and ends with {names[-1:]}")
        _hold("delta" in names, f"it has no piece of an answer, but {names}")


def drop_in(gateway: Deployed) -> None:
    """OpenAI's clients find their routes."""
    listed = _require(gateway.call("GET", "/v1/models"), 200)
    _hold(listed.get("object") == "list", f"/v1/models answers {listed}")


CHECKS: Final[tuple[Callable[[Deployed], None], ...]] = (
    *(public, closed, key),
    *(answers, answers_later, streams, drop_in),
)


def run(gateway: Deployed, *, say: Callable[[str], Any] = print, may_skip: bool = False) -> int:
    """Make every check, say what came of it, and return how many failed, or were skipped where none may be."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for check in CHECKS:
        outcome, reason = _outcome(check, gateway)
        counts[outcome] += 1
        title = (check.__doc__ or "").strip()
        say(f"{outcome:>8}  {title}" + (f"\n          {reason}" if reason else ""))
    say("smoke: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return counts["failed"] + (0 if may_skip else counts["skipped"])


def _outcome(check: Callable[[Deployed], None], gateway: Deployed) -> tuple[str, str]:
    try:
        check(gateway)
    except LeftOut as reason:
        return "skipped", str(reason)
    except Wrong as wrong:
        return "failed", str(wrong)
    except BrokenAnswer as error:
        return "failed", str(error)
    except OSError as error:
        return "failed", f"nobody answers at {gateway.url}: {error}"
    return "passed", ""


def _provider(gateway: Deployed) -> None:
    listed = _require(gateway.call("GET", f"{API}/providers"), 200).get("items")
    if not isinstance(listed, list):
        raise Wrong(f"{API}/providers has no list of items")
    if not any(isinstance(provider, dict) and provider.get("enabled", True) for provider in listed):
        raise LeftOut(f"no provider is registered that could be asked ({MAY_SKIP} allows it)")


def _id(found: Any) -> str:
    """What a query can be asked for by."""
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise Wrong(f"what answers has no query's id, but {found!r}")
    return found


def _text(answer: Mapping[str, Any]) -> Any:
    output = answer.get("output")
    return output.get("text") if isinstance(output, dict) else None


@contextmanager
def _erased(gateway: Deployed, query_id: str) -> Iterator[None]:
    """Erase the query after the block, whatever came of it, which must be possible if all else was."""
    try:
        yield
    except Exception:
        with suppress(BrokenAnswer, OSError):
            gateway.call("DELETE", f"{API}/query/{query_id}")
        raise
    answer = gateway.call("DELETE", f"{API}/query/{query_id}")
    _hold(answer.status == 204, f"what was asked could not be erased: {answer.status} {answer.json().get('code')}")


def _require(answer: Answer, status: int, *, decoded: dict[str, Any] | None = None) -> dict[str, Any]:
    found = answer.json() if decoded is None else decoded
    if answer.status != status:
        told = {name: found[name] for name in ("code", "detail", "request_id") if name in found}
        raise Wrong(f"answered {answer.status}, not {status}: {json.dumps(told) if told else answer.body[:200]!r}")
    return found


def _hold(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Wrong(otherwise)


def main(environment: Mapping[str, str] = os.environ, arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 if nothing failed. Address and key come as variables: arguments are seen by a machine's every user."""
    parser = argparse.ArgumentParser(prog="make smoke", description=__doc__)
    parser.add_argument(MAY_SKIP, action="store_true", help="be content where no provider is registered to be asked")
    may_skip = parser.parse_args(arguments).without_provider
    url, secret = environment.get("GATEWAY_URL", ""), environment.get("GATEWAY_KEY", "")
    if not url or not secret:
        sys.stderr.write(
            "Say which gateway, and give a key to it: export GATEWAY_KEY=llmgw_…, then make smoke URL=https://…\n"
        )
        return 2
    try:
        gateway = Deployed(url=checked(url), key=secret)
    except WrongAddress as wrong:
        sys.stderr.write(f"{wrong}.\n")
        return 2
    return 1 if run(gateway, may_skip=may_skip) else 0


if __name__ == "__main__":
    sys.exit(main())
