"""Canaries: whether a version with a smaller weight does worse than a label's gate allows, told without crying wolf.

A version breaks a bound where it is certain that it is beyond it, and where the heaviest version keeps it by what is known. Both
must have had `min_requests`, the heaviest with those that the cache answered: one that answers mostly from there is judged
against, too. Certain means: by confidence sequences that hold over all looks together, so that of a thousand labels whose
lighter version is as good, about one is rolled back, however long each of them is watched.
Answers from the cache say nothing of a version: they count nowhere here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from decimal import Decimal
from typing import Final

from llm_gateway.domain.confidence import Sample, is_above, is_share_above
from llm_gateway.domain.prompts.prompts import Gate
from llm_gateway.domain.usage import Sums
from llm_gateway.values import dataclass

FALSE_ALARMS: Final = 0.001
"""How probable it is that a version as good as the heaviest is ever rolled back, by any of its gate's bounds."""

_SLOWEST: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Scores from 0 to 1, summed up: `count` of them, `total` in all.

    What a version is judged by counts each of the `rated` queries once, by the mean of its scores: `means` in all. Answers from
    the cache are not among those.
    """

    count: int = 0
    total: Decimal = Decimal(0)
    rated: int = 0
    means: Decimal = Decimal(0)

    def plus(self, other: "Feedback") -> "Feedback":
        return Feedback(
            count=self.count + other.count,
            total=self.total + other.total,
            rated=self.rated + other.rated,
            means=self.means + other.means,
        )

    @property
    def mean(self) -> float | None:
        """Of all scores."""
        return float(self.total) / self.count if self.count else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of a version's queries since its label has had its weights."""

    sums: Sums = field(default_factory=Sums)
    feedback: Feedback = Feedback()

    @property
    def asked(self) -> int:
        """Queries that were not answered from the cache."""
        return self.sums.requests - self.sums.cache_hits


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """`hits` of `trials` are bad; `told` is what the share stands for, for a sentence."""

    hits: float
    trials: float

    @property
    def value(self) -> float:
        return self.hits / self.trials if self.trials else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    """At most `limit` of a version's trials may be bad."""

    limit: float
    light: _Share
    heavy: _Share
    reason: Callable[[], str]

    def is_broken(self, *, error: float) -> bool:
        light = self.light
        return self.heavy.value <= self.limit and is_share_above(
            light.hits, light.trials, share=self.limit, error=error
        )


def heaviest(versions: Mapping[int, int]) -> int:
    """The version that most is asked of; of those with equal weights the lowest number."""
    return min(versions, key=lambda version: (-versions[version], version))


def breach(gate: Gate, *, light: Record, heavy: Record) -> str | None:
    """The reason why the lighter version has to lose its weight; None where there is none."""
    if min(light.asked, heavy.sums.requests) < gate.min_requests:
        return None
    bounds, costs = tuple(_bounds(gate, light, heavy)), gate.max_cost_ratio is not None
    error = FALSE_ALARMS / max(len(bounds) + costs, 1)
    for bound in bounds:
        if bound.is_broken(error=error):
            return bound.reason()
    return _cost_breach(gate, light, heavy, error=error)


def _bounds(gate: Gate, light: Record, heavy: Record) -> Iterator[_Bound]:
    if gate.max_error_rate is not None:
        one, other = _share(light.sums.errors, light.asked), _share(heavy.sums.errors, heavy.asked)
        yield _rate_bound("error rate", "max_error_rate", gate.max_error_rate, one, other)
    if gate.max_validation_failure_rate is not None:
        one, other = _share(light.sums.invalid, light.asked), _share(heavy.sums.invalid, heavy.asked)
        limit = gate.max_validation_failure_rate
        yield _rate_bound("rate of validation failures", "max_validation_failure_rate", limit, one, other)
    if gate.max_p95_ms is not None:
        one, other = _slow(light.sums, gate.max_p95_ms), _slow(heavy.sums, gate.max_p95_ms)
        yield _Bound(limit=_SLOWEST, light=one, heavy=other, reason=lambda: _too_slow(light.sums, gate.max_p95_ms))
    if gate.min_feedback is not None:
        one, other = _displeased(light.feedback), _displeased(heavy.feedback)
        yield _Bound(
            limit=1 - gate.min_feedback,
            light=one,
            heavy=other,
            reason=lambda: _too_bad(light.feedback, gate.min_feedback),
        )


def _rate_bound(name: str, bound: str, limit: float, light: _Share, heavy: _Share) -> _Bound:
    def reason() -> str:
        return f"its {name} is {light.value:.1%} of {light.trials:.0f} queries, above {bound} {limit:g}"

    return _Bound(limit=limit, light=light, heavy=heavy, reason=reason)


def _share(hits: int, trials: int) -> _Share:
    return _Share(hits=hits, trials=trials)


def _slow(sums: Sums, limit_ms: int) -> _Share:
    return _Share(hits=sums.latency_ms.above(limit_ms), trials=sums.latency_ms.total)


def _displeased(feedback: Feedback) -> _Share:
    return _Share(hits=feedback.rated - float(feedback.means), trials=feedback.rated)


def _too_slow(sums: Sums, limit_ms: int | None) -> str:
    return f"its p95 is {sums.latency_ms.quantile(1 - _SLOWEST) or 0:.0f} ms, above max_p95_ms {limit_ms}"


def _too_bad(feedback: Feedback, least: float | None) -> str:
    share = _displeased(feedback)
    return (
        f"its feedback is {1 - share.value:.2f} on average of {share.trials:.0f} queries, below min_feedback {least:g}"
    )


def _cost_breach(gate: Gate, light: Record, heavy: Record, *, error: float) -> str | None:
    times, one, other = gate.max_cost_ratio, _costs(light), _costs(heavy)
    if times is None or not is_above(one, other, times=times, error=error):
        return None
    told = f"{one.mean / other.mean:.2f} times that of the heaviest version" if other.mean else "not zero as before"
    return f"its cost per query is {told}, above max_cost_ratio {times:g}"


def _costs(record: Record) -> Sample:
    sums = record.sums
    return Sample(
        count=record.asked - sums.unpriced_requests, total=float(sums.known_usd), squares=float(sums.known_usd_squares)
    )
