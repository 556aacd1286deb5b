"""A short form of `make load`, and what it would find."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bench import processor
from bench.connection import Connection, get, post
from bench.endurance.findings import Findings, grown, growth_found
from bench.endurance.ordeal import Sample
from bench.endurance.provider import Provider
from bench.endurance.traffic import End, Kind, Told
from bench.processor import Use
from local_aws.ports import LOOPBACK
from local_aws.synthesis import GATEWAY_PACKAGE
from workshop.places import ROOT

CLEAN = Findings(
    told=[Told(number=number, kind=Kind.SYNC, began_s=0, end=End.ANSWERED) for number in range(1_000)],
    lost=(),
    paid_twice=(),
    paid_again=("number 7",),
    stored=1_000,
    stored_usd=Decimal("0.015"),
    booked=1_000,
    booked_usd=Decimal("0.015"),
    faults={"500": 50},
)
ERRORS = [Told(number=number, kind=Kind.SYNC, began_s=0, end=End.OWN) for number in range(2)]


@pytest.mark.skipif(not processor.is_accounted(), reason="this system has no /proc")
def test_nothing_is_lost_or_paid_twice_while_providers_fail_and_a_worker_dies() -> None:
    size = (
        "--queries",
        "200",
        "--callers",
        "20",
        "--seconds",
        "60",
        "--processes",
        "2",
        "--stall",
        "0.3",
        "--lease",
        "3",
    )
    done = subprocess.run(
        [sys.executable, "-m", "bench.endurance", *size],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(GATEWAY_PACKAGE)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a worker killed after" in done.stdout
    assert "the emulator stalls for 0.3 s" in done.stdout
    assert done.stdout.endswith("Nothing lost, nothing paid twice, and usage agrees.\n")


def test_what_is_as_it_is_to_be_is_no_fault() -> None:
    assert list(CLEAN.faults_found()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lost": ("qry_1",)}, "1 lost: qry_1"),
        ({"paid_twice": ("number 3", "number 4")}, "2 paid twice: number 3, number 4"),
        ({"told": [*CLEAN.told, *ERRORS]}, "2 own errors among 1,002"),
        ({"booked": 1_001}, "usage has 1,001 queries"),
        ({"booked_usd": Decimal("0.016")}, "stored are 1,000 for 0.015"),
    ],
)
def test_each_fault_is_told(changes: dict[str, Any], said: str) -> None:
    (fault,) = replace(CLEAN, **changes).faults_found()
    assert said in fault


def test_one_error_among_a_thousand_is_borne() -> None:
    assert list(replace(CLEAN, told=[*CLEAN.told, ERRORS[0]]).faults_found()) == []


@pytest.mark.parametrize(
    ("ended", "whole_mb", "is_told"), [(20_000, 630, False), (20_000, 631, True), (9_999, 900, False)]
)
def test_what_serves_may_not_grow_over_the_second_half_of_a_long_run(
    ended: int, whole_mb: float, is_told: bool
) -> None:
    """What grows in the first half does not count, nor does what the emulator takes."""

    def sample(ended: int, memory_mb: float) -> Sample:
        held = Use(processes=1, memory_mb=memory_mb, threads=1, sockets=1, files=1)
        return Sample(at_s=ended / 100, ended=ended, server=held, workers=held, emulator=replace(held, memory_mb=ended))

    samples = [sample(0, 100), sample(ended // 2 - 7, 600), sample(ended * 3 // 4, 700), sample(ended, whole_mb)]
    assert grown(samples) == (600, whole_mb)
    assert [told[:20] for told in growth_found(samples)] == ["those that serve gre"] * is_told


class Chance(random.Random):
    """Every call has the fault that it was told, or none."""

    fault: str | None = None

    def random(self) -> float:
        return 0.0 if self.fault else 1.0

    def choice(self, _: Any) -> Any:
        return self.fault


@asynccontextmanager
async def provider(fault: str | None) -> AsyncIterator[tuple[Provider, Connection]]:
    chance = Chance()
    chance.fault = fault
    served = Provider(delay_s=0, fault_share=0.5, chance=chance)
    server = await asyncio.start_server(served.serve, LOOPBACK, 0)
    connection = Connection(LOOPBACK, server.sockets[0].getsockname()[1])
    async with server:
        yield served, connection
        connection.close()
        # Each connection is served by a task of its own, which closes its end.
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})


def asked(*, stream: bool) -> bytes:
    body = {"messages": [{"role": "user", "content": "number 7"}], "stream": stream}
    return post("/v1/chat/completions", json.dumps(body).encode(), host=LOOPBACK)


@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_bills_what_it_has_answered_to_the_end(stream: bool) -> None:
    async def ask() -> None:
        async with provider(None) as (_, connection):
            for _ in range(2):
                reply = await connection.exchange(asked(stream=stream))
                assert reply.status == 200
            pieces = reply.content().decode()
            assert "7" in pieces
            assert ("[DONE]" in pieces) == stream
            ledger = await connection.exchange(get("/ledger", host=LOOPBACK))
            assert json.loads(ledger.content()) == {"whole": {"number 7": 2}, "faults": {}}

    asyncio.run(ask())


@pytest.mark.parametrize("fault", ["500", "503", "529", "reset", "cut", "garbage"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_bills_nothing_that_it_failed(fault: str, stream: bool) -> None:
    async def ask() -> None:
        async with provider(fault) as (served, connection):
            if fault in ("reset", "cut"):
                with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                    await connection.exchange(asked(stream=stream))
            else:
                reply = await connection.exchange(asked(stream=stream))
                assert reply.status == (200 if fault == "garbage" else int(fault))
            assert (served.whole, served.faults) == ({}, {fault: 1})

    asyncio.run(ask())
