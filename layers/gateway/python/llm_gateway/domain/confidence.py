"""Bounds that hold however often they are looked at: confidence sequences for shares, and for the difference of two means.

A bound for a fixed number of figures is wrong more often with each further look. Those of a confidence sequence are wrong at any
time, over all looks together, with no more than the probability that is asked for.

Shares have Robbins' beta-binomial mixture under a uniform prior (Robbins: "Statistical Methods Related to the Law of the
Iterated Logarithm", Annals of Mathematical Statistics 1970). It also holds for means of figures between 0 and 1 (Howard, Ramdas,
McAuliffe, Sekhon: "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 2021, on sub-Bernoulli
processes).
Means of figures without a bound have the one-sided asymptotic sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas
("Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics 2024).
"""

from math import lgamma, log, sqrt
from typing import Final

from llm_gateway.values import dataclass

# The number of figures at which the bound on a difference is tightest.
_TIGHTEST_AT: Final = 100
# What is left of a variance of equal figures after rounding.
_ROUNDING: Final = 1e-9


def is_share_above(hits: float, trials: float, *, share: float, error: float) -> bool:
    """Whether the true share of hits is above `share`, from 0 up; wrong with a probability of `error` at most where it is not."""
    if not 0 <= share * trials < hits:
        return False
    return share == 0 or _evidence(hits, trials, share) > log(1 / error)


def _evidence(hits: float, trials: float, share: float) -> float:
    """The logarithm of how much likelier the hits are with a share drawn uniformly than with `share`, which is within (0, 1)."""
    misses = trials - hits
    mixed = lgamma(hits + 1) + lgamma(misses + 1) - lgamma(trials + 2)
    return mixed - hits * log(share) - misses * log(1 - share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Figures as far as a mean needs them: how many there are, their sum, and the sum of their squares."""

    count: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        return self.total / self.count

    @property
    def variance(self) -> float:
        return max(self.squares / self.count - self.mean**2, 0.0)


def is_above(one: Sample, other: Sample, *, times: float, error: float) -> bool:
    """Whether the mean of `one` is above `times` that of `other`; wrong with a probability of about `error` where it is not."""
    if not one.count or not other.count:
        return False
    excess = one.mean - times * other.mean
    deviation = sqrt(one.variance / one.count + times**2 * other.variance / other.count)
    figures = one.count * other.count / (one.count + other.count)
    tuned = (2 * log(1 / error) + log(2 * log(1 / error)) + 1) / _TIGHTEST_AT
    spread = figures * tuned
    margin = deviation * sqrt(2 * (1 + 1 / spread) * log(1 + sqrt(spread + 1) / (2 * error)))
    return excess > max(margin, _ROUNDING * one.mean)
