"""Assertions: whether an answer is what a test says it must be.

A negated assertion passes where it would not have passed. Where it cannot be told, because a cost is not known or a judge gave no
verdict, it fails, negated or not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, assert_never

from llm_gateway.domain.money import usd
from llm_gateway.domain.prompts.json_paths import found_at, parsed_path
from llm_gateway.domain.prompts.runs import Finding
from llm_gateway.domain.prompts.similarity import similarity
from llm_gateway.domain.prompts.suites import (
    Assertion,
    Contains,
    Equals,
    HasAtPath,
    Judged,
    MatchesRegex,
    MatchesSchema,
    MaxCost,
    MaxLatency,
    MaxTokens,
    Similar,
)
from llm_gateway.domain.queries import Query
from llm_gateway.domain.strict_json import InvalidJson, digest, parse
from llm_gateway.ports.system import Clock
from llm_gateway.services.output.patterns import TooMuchWork, matches

_LONGEST_CHECK_S: Final = 5
_LONGEST_TOLD: Final = 120
_LONGEST_DETAIL: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether something holds, None where that cannot be told; `measured` is what was found, as a sentence's end."""

    holds: bool | None
    measured: str


Ask = Callable[[Judged | Similar], Verdict]
"""Asks a model for its verdict on the answer in question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What came of a test's query, as far as assertions look at it."""

    text: str
    output_tokens: int
    latency_ms: int
    cost_usd: Decimal | None

    @classmethod
    def of(cls, query: Query) -> "Observed":
        answer = query.answer
        if answer is None:
            raise ValueError(f"query {query.id} has no answer")
        return cls(
            text=answer.output.text or "",
            output_tokens=answer.usage.output_tokens,
            latency_ms=answer.latency.total_ms,
            cost_usd=answer.cost_usd,
        )

    def json(self) -> Any:
        """Raises `InvalidJson`. A block of code around it is left out: models like to wrap JSON in one."""
        from llm_gateway.services.output.structured import json_in

        return parse(json_in(self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    """Holds answers against assertions, each for a few seconds at most."""

    clock: Clock

    def check(self, assertion: Assertion, observed: Observed, *, ask: Ask) -> Finding:
        try:
            verdict = self._verdict(assertion, observed, ask)
        except InvalidJson as fault:
            verdict = Verdict(holds=False, measured=f"the answer {fault}")
        except TooMuchWork:
            verdict = Verdict(holds=None, measured="it takes too long to check")
        except (RecursionError, OverflowError):
            verdict = Verdict(
                holds=None, measured="the answer is nested too deeply, or holds a number that is too large"
            )
        passed = verdict.holds is not None and verdict.holds is not assertion.negated
        return Finding(type=assertion.type, passed=passed, detail=verdict.measured[:_LONGEST_DETAIL])

    def _verdict(self, assertion: Assertion, observed: Observed, ask: Ask) -> Verdict:
        match assertion:
            case Equals():
                return _equals(assertion.value, observed)
            case Contains():
                holds = assertion.value in observed.text
                return Verdict(holds=holds, measured=_told(holds, "contains", assertion.value))
            case MatchesRegex():
                holds = matches(assertion.value, observed.text)
                return Verdict(holds=holds, measured=_told(holds, "matches", assertion.value))
            case MatchesSchema():
                return self._matches_schema(assertion, observed)
            case HasAtPath():
                return _has_at_path(assertion, observed)
            case MaxTokens() | MaxLatency() | MaxCost():
                return _is_within(assertion, observed)
            case Similar(by="words"):
                found = similarity(assertion.value, observed.text)
                measured = f"the similarity is {found:.2f}, of {assertion.threshold:g} at least"
                return Verdict(holds=found >= assertion.threshold, measured=measured)
            case Judged() | Similar():
                return ask(assertion)
        assert_never(assertion)

    def _matches_schema(self, assertion: MatchesSchema, observed: Observed) -> Verdict:
        from llm_gateway.services.output.conformity import faults

        ends_s = self.clock.monotonic_s() + _LONGEST_CHECK_S
        found = faults(observed.json(), assertion.value, gives_up=lambda: self.clock.monotonic_s() > ends_s)
        return Verdict(holds=not found, measured="; ".join(found) or "the answer matches the schema")


def _equals(value: Any, observed: Observed) -> Verdict:
    found = observed.text.strip() if isinstance(value, str) else observed.json()
    holds = digest(value.strip() if isinstance(value, str) else value) == digest(found)
    return Verdict(holds=holds, measured=f"the answer is {_brief(found)}")


def _has_at_path(assertion: HasAtPath, observed: Observed) -> Verdict:
    found = found_at(parsed_path(assertion.path), observed.json())
    if not assertion.compared:
        return Verdict(holds=bool(found), measured=_told(bool(found), "has something at", assertion.path))
    wanted = digest(assertion.value)
    holds = any(digest(value) == wanted for value in found)
    return Verdict(holds=holds, measured=f"at {assertion.path} there is {_brief(found[0]) if found else 'nothing'}")


def _is_within(assertion: MaxTokens | MaxLatency | MaxCost, observed: Observed) -> Verdict:
    match assertion:
        case MaxTokens():
            return _at_most(observed.output_tokens, assertion.value, "output tokens")
        case MaxLatency():
            return _at_most(observed.latency_ms, assertion.value, "ms")
        case MaxCost():
            return _costs(assertion, observed)
    assert_never(assertion)


def _costs(assertion: MaxCost, observed: Observed) -> Verdict:
    if observed.cost_usd is None:
        return Verdict(holds=None, measured="the cost is not known")
    measured = f"it cost {usd(observed.cost_usd)} USD, of {usd(assertion.value)} at most"
    return Verdict(holds=observed.cost_usd <= assertion.value, measured=measured)


def _at_most(found: int, most: int, unit: str) -> Verdict:
    return Verdict(holds=found <= most, measured=f"{found} {unit}, of {most} at most")


def _told(holds: bool, verb: str, what: str) -> str:
    verdict = "the answer" if holds else "it is not so that the answer"
    return f"{verdict} {verb} {_brief(what)}"


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}…"
