"""The findings of a run: the end of every question, its record, the provider's count of answers, and the bookings."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from bench.connection import Connection, get
from bench.endurance.ordeal import Sample
from bench.endurance.traffic import End, Kind, Told
from local_aws.api import Api
from local_aws.ports import LOOPBACK

_ENDED: Final = frozenset({"succeeded", "failed", "cancelled"})
# Usage tells of a query within seconds.
_BOOKED_WITHIN_S: Final = 30.0
_ASK_AGAIN_S: Final = 1.0
MOST_OWN: Final = 0.001
"""The share of queries that may end in the gateway's own errors."""
MOST_GROWN: Final = 0.05
"""By which share all that serve may grow over the second half of the queries."""
# With fewer queries, threads and connections are still being made in their second half.
_FEWEST_JUDGED: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """`paid_again` were given twice by the provider because the worker that had the first answer was killed with it: nobody
    else knew of that. Nothing can be done about those; `paid_twice` are all others."""

    told: Sequence[Told]
    lost: Sequence[str]
    paid_twice: Sequence[str]
    paid_again: Sequence[str]
    stored: int
    stored_usd: Decimal
    booked: int
    booked_usd: Decimal
    faults: Mapping[str, int]

    @property
    def ends(self) -> Counter[End]:
        return Counter(told.end for told in self.told)

    @property
    def own(self) -> Sequence[Told]:
        return [told for told in self.told if told.end is End.OWN]

    def faults_found(self) -> Iterator[str]:
        """What is not as it is to be."""
        if self.lost:
            yield f"{len(self.lost)} lost: {', '.join(self.lost[:5])}"
        if self.paid_twice:
            yield f"{len(self.paid_twice)} paid twice: {', '.join(self.paid_twice[:5])}"
        if len(self.own) > MOST_OWN * len(self.told):
            yield f"{len(self.own)} own errors among {len(self.told):,}, more than {MOST_OWN:.1%}"
        if (self.booked, self.booked_usd) != (self.stored, self.stored_usd):
            yield f"usage has {self.booked:,} queries for {self.booked_usd}; stored are {self.stored:,} for {self.stored_usd}"


def grown(samples: Sequence[Sample]) -> tuple[float, float]:
    """The MB of all that serve after half of the queries, and after all of them."""
    half = min(samples, key=lambda sample: abs(sample.ended - samples[-1].ended / 2))
    return half.server.memory_mb, samples[-1].server.memory_mb


def growth_found(samples: Sequence[Sample]) -> Iterator[str]:
    """What should not have grown. A short run is not judged."""
    half_mb, whole_mb = grown(samples)
    if samples[-1].ended >= _FEWEST_JUDGED and whole_mb > half_mb * (1 + MOST_GROWN):
        yield f"those that serve grew from {half_mb:.0f} to {whole_mb:.0f} MB, by more than {MOST_GROWN:.0%}"


def found(told: Sequence[Told], *, api: Api, provider_port: int, killed_at_s: float | None) -> Findings:
    """Look at all that is left."""
    rows = list(_rows(api))
    statuses = {row["id"]: row["status"] for row in rows}
    accepted = {each.query_id for each in told if each.query_id}
    lost = {each.query_id for each in told if each.end is End.LOST and each.query_id}
    lost |= {query_id for query_id in accepted | statuses.keys() if statuses.get(query_id) not in _ENDED}
    stored_usd = sum((Decimal(row["cost_usd"] or 0) for row in rows), Decimal(0))
    booked, booked_usd = _booked(api, lambda queries: queries >= len(rows))
    ledger = asyncio.run(_ledger(provider_port))
    again = [each for each in told if each.kind is not Kind.CACHED and ledger["whole"].get(each.words, 0) > 1]
    killed = [each.words for each in again if _was_killed(each, killed_at_s)]
    return Findings(
        told=told,
        lost=sorted(lost),
        paid_twice=[each.words for each in again if each.words not in killed],
        paid_again=killed,
        stored=len(rows),
        stored_usd=stored_usd,
        booked=booked,
        booked_usd=booked_usd,
        faults=ledger["faults"],
    )


def _was_killed(told: Told, killed_at_s: float | None) -> bool:
    return told.kind is Kind.ASYNC and killed_at_s is not None and told.began_s < killed_at_s < told.ended_s


def _rows(api: Api) -> Iterator[dict[str, Any]]:
    """All queries of the key."""
    path = "/query?limit=100"
    while path:
        page = api.read(path)
        yield from page["items"]
        cursor = page["next_cursor"]
        path = f"/query?limit=100&cursor={cursor}" if cursor else ""


def _booked(api: Api, is_all: Callable[[int], bool]) -> tuple[int, Decimal]:
    """What usage tells, once it has caught up or has had the time to."""
    deadline_s = time.monotonic() + _BOOKED_WITHIN_S
    while True:
        items = api.read("/usage")["items"]
        queries = sum(item["requests"] for item in items)
        if is_all(queries) or time.monotonic() > deadline_s:
            return queries, sum((Decimal(item["cost_usd"] or 0) for item in items), Decimal(0))
        time.sleep(_ASK_AGAIN_S)


async def _ledger(port: int) -> dict[str, dict[str, int]]:
    connection = Connection(LOOPBACK, port)
    reply = await connection.exchange(get("/ledger", host=LOOPBACK))
    connection.close()
    ledger: dict[str, dict[str, int]] = json.loads(reply.content())
    return ledger
