"""The cost model's arithmetic, against bills reckoned by hand; its page shows what it prints."""

import json
from decimal import Decimal

import pytest
from llm_gateway.endpoints import ROWS

from operations import cost
from operations.cost import Idle, Model
from operations.prices import FILE, Prices, read_prices
from operations.workloads import SIZES, WORKLOADS
from workshop.places import ROOT

SMALL, MEDIUM, LARGE = SIZES
MODEL = Model(prices=read_prices(), architecture="arm64")
PAGE = ROOT / "docs" / "costs.md"


def test_a_price_has_its_page_and_is_for_one_unit() -> None:
    told = json.loads(FILE.read_text())
    for price in told["prices"].values():
        assert price["published"].startswith("https://aws.amazon.com/")
        assert price["read_in"] is None or price["read_in"].startswith("https://")
    prices = read_prices()
    assert prices.usd["api_request"] == Decimal("0.0000035")
    assert prices.of("dashboard", 2) == 6
    with pytest.raises(KeyError):
        prices.of("coffee", 1)


def test_a_sync_query_is_what_its_parts_are() -> None:
    bill = MODEL.per_million("sync", SMALL)
    assert bill.api == Decimal("3.50")
    # A gigabyte for 2.06 s, and one request.
    assert bill.functions == pytest.approx(Decimal("0.20") + Decimal("2.06") * Decimal("13.3334"))
    load = WORKLOADS["sync", "small"]
    tables = Decimal("0.625") * Decimal(load.writes) + Decimal("0.125") * Decimal(load.reads)
    assert bill.tables == pytest.approx(tables)
    assert bill.total == bill.api + bill.functions + bill.tables + bill.rest


def test_an_async_query_is_asked_worked_on_and_read() -> None:
    sync, later = MODEL.per_million("sync", SMALL), MODEL.per_million("async", SMALL)
    assert later.api == 3 * sync.api
    # Accepting takes a gigabyte, reading status and result half of one each, all of it for 50 ms.
    beside = 3 * Decimal("0.20") + (1 + Decimal("0.5") + Decimal("0.5")) * Decimal("0.05") * Decimal("13.3334")
    assert later.functions == pytest.approx(sync.functions + beside)
    # Four requests for its message.
    assert later.rest > sync.rest + Decimal("1.60")


def test_a_slower_provider_costs_its_time_and_nothing_else() -> None:
    quick, slow = (MODEL.per_million("stream", MEDIUM, answers_in_s=seconds) for seconds in (1, 2))
    assert slow.functions - quick.functions == pytest.approx(Decimal("13.3334"))
    assert (slow.api, slow.tables, slow.rest) == (quick.api, quick.tables, quick.rest)


def test_at_the_break_even_both_bills_are_the_same() -> None:
    for size in SIZES:
        queries, bill = MODEL.break_even("sync", size), MODEL.per_million("sync", size)
        assert queries / 1_000_000 * (bill.api + bill.functions) == pytest.approx(MODEL.container())
    hours = Decimal(730)
    tasks = 2 * (Decimal("0.03238") + 2 * Decimal("0.00356")) * hours
    assert MODEL.container() == pytest.approx(
        tasks + (Decimal("0.0225") + Decimal("0.008") + 4 * Decimal("0.005")) * hours
    )


def test_what_is_kept_ready_is_paid_by_the_second_and_by_its_memory() -> None:
    snapshot, starts, ready = MODEL.ready().values()
    month_s = 730 * 3600
    assert snapshot == pytest.approx(Decimal("0.0000015046") * month_s)
    assert starts == pytest.approx(Decimal("0.1397998"))
    assert ready == pytest.approx(6 * Decimal("0.0000033334") * month_s)
    assert Model(prices=read_prices(), architecture="x86_64").ready().popitem()[1] > ready


def test_production_pays_for_its_alarms_on_releases() -> None:
    assert MODEL.releases() == Decimal("0.20") * len(ROWS)


def test_x86_costs_more() -> None:
    x86 = Model(prices=read_prices(), architecture="x86_64")
    assert x86.container() > MODEL.container()
    assert x86.per_million("sync", LARGE).functions > MODEL.per_million("sync", LARGE).functions


def test_free_prices_make_a_free_gateway() -> None:
    free = Model(
        prices=Prices(region="r", read_on="d", usd=dict.fromkeys(read_prices().usd, Decimal())), architecture="arm64"
    )
    assert sum(free.idle(Idle()).values()) == free.per_million("async", LARGE).total == free.container() == 0


def test_the_page_shows_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cost.main([]) == 0
    printed = capsys.readouterr().out.strip()
    shown = PAGE.read_text().partition("<!-- made by `make cost` -->\n")[2].partition("<!-- end -->")[0].strip()
    assert shown == printed, "docs/costs.md is older than the model: put in what `make cost` prints"


def test_its_own_times_can_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cost.main(["--answers-in-s", "4", "--architecture", "x86_64"]) == 0
    printed = capsys.readouterr().out
    assert "on x86_64" in printed
    assert "(1,000 bytes in, 1,000 out, 4 s)" in printed


@pytest.mark.parametrize("seconds", ["soon", "-1", "841", "nan"])
def test_a_time_that_is_none_is_refused(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cost.main(["--answers-in-s", seconds])
    assert "say 0 to 840 seconds" in capsys.readouterr().err
