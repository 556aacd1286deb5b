"""A lighter version is rolled back where it is certainly worse, and for no other reason."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random

import pytest
from llm_gateway.domain.prompts.canaries import Feedback, Record, breach, heaviest
from llm_gateway.domain.prompts.prompts import Gate
from llm_gateway.domain.usage import Sums

GATE = Gate(
    max_error_rate=0.05, max_p95_ms=2000, max_cost_ratio=1.5, max_validation_failure_rate=0.02, min_feedback=0.6
)


@dataclass(frozen=True, kw_only=True)
class Version:
    """How a version answers. Its p95 is a little below twice `ms`."""

    errors: float = 0.03
    invalid: float = 0.01
    ms: float = 900
    usd: float = 0.001
    pleased: float = 0.7


GOOD = Version()


@dataclass(slots=True)
class Watched:
    """What a version's queries add up to."""

    version: Version
    sums: Sums = field(default_factory=Sums)
    usd: float = 0
    usd_squares: float = 0
    means: float = 0

    def answer(self, draw: Random) -> None:
        """One more query."""
        version, sums, chance = self.version, self.sums, draw.random()
        sums.requests += 1
        sums.invalid += chance < version.invalid
        sums.errors += chance < version.errors
        cost = version.usd * draw.lognormvariate(-0.18, 0.6)
        self.usd += cost
        self.usd_squares += cost**2
        if chance >= version.errors:
            sums.latency_ms.add(version.ms * draw.lognormvariate(0, 0.42))
        self.means += 1 if draw.random() < version.pleased else 0.25

    def record(self) -> Record:
        sums = replace(self.sums, known_usd=Decimal(self.usd), known_usd_squares=Decimal(self.usd_squares))
        return Record(sums=sums, feedback=Feedback(rated=sums.requests, means=Decimal(self.means)))


def watched(draw: Random, light: Version, heavy: Version, *, gate: Gate, weight: int, queries: int) -> int | None:
    """After how many queries the lighter version is rolled back that gets `weight` percent of them, judged after every ten."""
    lights, heavies = Watched(light), Watched(heavy)
    for count in range(1, queries + 1):
        (lights if draw.random() * 100 < weight else heavies).answer(draw)
        if count % 10 == 0 and breach(gate, light=lights.record(), heavy=heavies.record()):
            return count
    return None


GATES = {
    "within its bounds": GATE,
    "at its bounds": Gate(
        max_error_rate=0.03, max_p95_ms=1800, max_cost_ratio=1, max_validation_failure_rate=0.01, min_feedback=0.77
    ),
    "beyond its bounds": Gate(
        max_error_rate=0.02, max_p95_ms=1600, max_validation_failure_rate=0.005, min_feedback=0.8
    ),
}


@pytest.mark.unmeasured  # 800,000 queries: the tests below try the same lines.
@pytest.mark.parametrize(("gate", "weight"), [*((gate, 50) for gate in GATES), ("within its bounds", 10)])
def test_of_200_canaries_that_are_as_good_two_are_rolled_back_at_most(gate: str, weight: int) -> None:
    rolled_back = [
        watched(Random(seed), GOOD, GOOD, gate=GATES[gate], weight=weight, queries=1000)  # noqa: S311
        for seed in range(200)
    ]
    assert sum(each is not None for each in rolled_back) <= 2


BAD = {
    "each answer breaks its schema": (Version(errors=1, invalid=1), 150),
    "a third of the answers fail": (Version(errors=0.33), 500),
    "a sixth of the answers is invalid": (Version(errors=0.17, invalid=0.16), 500),
    "it takes twice as long": (Version(ms=1800), 400),
    "it costs three times as much": (Version(usd=0.003), 400),
    "nobody likes it": (Version(pleased=0.1), 500),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_canary_is_found_soon(name: str) -> None:
    bad, within = BAD[name]
    counts = [watched(Random(seed), bad, GOOD, gate=GATE, weight=50, queries=within) for seed in range(20)]  # noqa: S311
    assert all(count is not None and count >= GATE.min_requests for count in counts), counts


def record(requests: int = 100, **sums: object) -> Record:
    given: dict[str, object] = {"requests": requests, **sums}
    return Record(sums=Sums(**given))  # type: ignore[arg-type]


def test_a_canary_is_not_judged_before_it_had_enough_requests() -> None:
    gate = Gate(max_error_rate=0.05, min_requests=50)
    assert breach(gate, light=record(49, errors=49), heavy=record(500)) is None
    assert breach(gate, light=record(50, errors=50), heavy=record(500)) is not None


def test_answers_from_the_cache_do_not_count_as_requests() -> None:
    gate = Gate(max_error_rate=0.05, min_requests=50)
    assert breach(gate, light=record(80, cache_hits=40, errors=40), heavy=record(500)) is None


def test_a_bound_that_the_heaviest_breaks_too_rolls_nothing_back() -> None:
    gate = Gate(max_error_rate=0.05)
    assert breach(gate, light=record(200, errors=190), heavy=record(2000, errors=200)) is None


def test_a_canary_is_not_judged_before_the_heaviest_had_enough_requests() -> None:
    gate = Gate(max_error_rate=0.05, min_requests=50)
    assert breach(gate, light=record(200, errors=40), heavy=record(49)) is None
    assert breach(gate, light=record(200, errors=40), heavy=record(50)) is not None


def test_a_version_that_may_yet_keep_its_bound_stays() -> None:
    gate = Gate(max_error_rate=0.05)
    assert breach(gate, light=record(60, errors=6), heavy=record(600)) is None
    assert breach(gate, light=record(600, errors=60), heavy=record(600)) is not None


def test_a_gate_without_bounds_judges_nothing() -> None:
    assert breach(Gate(tests=True), light=record(500, errors=500), heavy=record(500)) is None


def test_the_reason_says_what_was_measured_and_which_bound_it_breaks() -> None:
    gate = Gate(max_error_rate=0.05, max_validation_failure_rate=0.02)
    reason = breach(gate, light=record(80, errors=60, invalid=60), heavy=record(800, errors=4))
    assert reason == "its error rate is 75.0% of 80 queries, above max_error_rate 0.05"


def test_bad_feedback_is_a_reason() -> None:
    gate = Gate(min_feedback=0.6)
    light = Record(sums=Sums(requests=100), feedback=Feedback(rated=80, means=Decimal(16)))
    heavy = Record(sums=Sums(requests=900), feedback=Feedback(rated=500, means=Decimal(400)))
    assert (
        breach(gate, light=light, heavy=heavy)
        == "its feedback is 0.20 on average of 80 queries, below min_feedback 0.6"
    )
    assert breach(gate, light=heavy, heavy=light) is None


def test_a_canary_that_costs_something_beside_one_that_costs_nothing_is_dearer() -> None:
    light = record(60, known_usd=Decimal("0.06"), known_usd_squares=Decimal("0.00006"))
    reason = breach(Gate(max_cost_ratio=2), light=light, heavy=record(600))
    assert reason == "its cost per query is not zero as before, above max_cost_ratio 2"


def test_a_canary_whose_cost_is_not_known_is_not_dearer() -> None:
    assert breach(Gate(max_cost_ratio=2), light=record(60, unpriced_requests=60), heavy=record(600)) is None


def test_the_heaviest_is_the_one_with_most_weight_and_of_equals_the_oldest() -> None:
    assert heaviest({4: 10, 3: 90}) == 3
    assert heaviest({4: 50, 3: 50}) == 3
