"""`make cost`: what a deployment costs a month while nobody asks, what a million queries cost, and when a container is cheaper.

The providers' own bills come on top of both; `usage` of the API tells them.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from llm_gateway.access import Schedule
from llm_gateway.endpoints import ROWS

from operations.prices import Prices, read_prices
from operations.workloads import CALLS, MODES, SIZES, WORKLOADS, Size

MILLION: Final = 1_000_000
HOURS: Final = 730
MINUTES: Final = HOURS * 60
GB: Final = 1_000_000_000
MB_OF_GB: Final = 1_024
# Lambda asks each of three queues by five pollers, three times a minute.
POLLS: Final = 3 * 5 * 3 * MINUTES
# To receive a message, to hold it, to delete it, and to send it.
REQUESTS_OF_A_MESSAGE: Final = 4
# A provider's answer is not waited for by the functions that accept a query and read its state.
SHORT_S: Final = 0.05
# What the gateway itself does, beside waiting.
OVERHEAD_S: Final = 0.06
SCHEDULED_S: Final = 0.1
# Two containers, in two zones, and the load balancer with an address in each.
TASKS: Final = 2
TASK_VCPU: Final = 1
TASK_GB: Final = 2
ADDRESSES: Final = 4
ASKING: Final = {"sync": "run_query", "async": "process_query", "stream": "stream_query"}
BESIDE: Final = {"sync": (), "async": ("run_query", "get_query_status", "get_query_result"), "stream": ()}


# The functions that ask providers for a caller, and those of them that Lambda's own runtime starts, not the web adapter.
READY: Final = (
    *("run_query", "stream_query", "create_chat_completion", "create_response"),
    *("create_message", "create_embeddings"),
)
SNAPSHOTTED: Final = ("run_query",)
STARTS: Final = 1_000
# In production each function's new version is watched for what it raises and for what it answers.
RELEASE_ALARMS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """What costs money though nobody asks; a test holds the numbers to the templates."""

    keys: int = 1
    secrets: int = 2
    metrics_in_alarms: int = 35
    composite_alarms: int = 4
    dashboards: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PerMillion:
    """The bill for a million queries, by what it is for."""

    api: Decimal
    functions: Decimal
    tables: Decimal
    rest: Decimal

    @property
    def total(self) -> Decimal:
        """All of it."""
        return self.api + self.functions + self.tables + self.rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The arithmetic, for functions and containers of one architecture."""

    prices: Prices
    architecture: str

    def idle(self, parts: Idle) -> dict[str, Decimal]:
        """Dollars a month, by part."""
        schedules = [row for row in ROWS if isinstance(row, Schedule)]
        runs = [(row, MINUTES / row.every_min) for row in schedules]
        scheduled = sum((self._function(row.name, SCHEDULED_S) * Decimal(count) for row, count in runs), Decimal())
        return {
            "KMS key, in its first year": self.prices.of("kms_key", parts.keys),
            "secrets: the pepper and one provider's": self.prices.of("secret", parts.secrets),
            f"alarms that look at {parts.metrics_in_alarms} metrics": self.prices.of("alarm", parts.metrics_in_alarms),
            f"{parts.composite_alarms} alarms on alarms": self.prices.of("composite_alarm", parts.composite_alarms),
            "dashboard": self.prices.of("dashboard", parts.dashboards),
            "polling of three empty queues": self.prices.of("sqs_request", POLLS),
            f"{len(schedules)} functions that run by the clock": scheduled,
        }

    def releases(self) -> Decimal:
        """Dollars a month that production's alarms on releases cost on top of that."""
        return self.prices.of("alarm", RELEASE_ALARMS * len(ROWS))

    def ready(self) -> dict[str, Decimal]:
        """Dollars a month so that a query waits for no start, by setting."""
        seconds = HOURS * 3600
        names = ", ".join(f"`{name}`" for name in SNAPSHOTTED)
        snapshot_gb, ready_gb = _gb(*SNAPSHOTTED), _gb(*READY)
        ready = self.prices.of(f"lambda_ready_gb_second_{self.architecture}", ready_gb * seconds)
        return {
            f"`snapStart=on`: the snapshot of {names}": self.prices.of(
                "lambda_snapshot_gb_second", snapshot_gb * seconds
            ),
            f"and {STARTS:,} starts from it": self.prices.of("lambda_restored_gb", snapshot_gb * STARTS),
            f"`provisionedConcurrency=1`: one of each of {len(READY)} functions": ready,
        }

    def per_million(self, mode: str, size: Size, *, answers_in_s: float | None = None) -> PerMillion:
        """Dollars for a million queries whose provider takes `answers_in_s`, or as long as is usual for the size."""
        load, waits_s = WORKLOADS[mode, size.name], answers_in_s if answers_in_s is not None else size.answers_in_s
        short = sum((self._function(name, SHORT_S) for name in BESIDE[mode]), Decimal())
        rest = (
            self.prices.of("s3_put", load.puts)
            + self.prices.of("s3_get", load.gets)
            + self.prices.of("sqs_request", load.messages * REQUESTS_OF_A_MESSAGE)
            + self.prices.of("log_gb", Decimal(load.log_bytes) / GB)
            + self.prices.of("transfer_out_gb", Decimal(size.answer_bytes) / GB)
        )
        tables = self.prices.of("dynamodb_write", load.writes) + self.prices.of("dynamodb_read", load.reads)
        return PerMillion(
            api=MILLION * self.prices.of("api_request", CALLS[mode]),
            functions=MILLION * (self._function(ASKING[mode], waits_s + OVERHEAD_S) + short),
            tables=MILLION * tables,
            rest=MILLION * rest,
        )

    def container(self) -> Decimal:
        """Dollars a month for containers that run all the time instead of the functions and API Gateway."""
        task = TASK_VCPU * self.prices.of(f"fargate_vcpu_hour_{self.architecture}", HOURS) + TASK_GB * self.prices.of(
            f"fargate_gb_hour_{self.architecture}", HOURS
        )
        balancer = self.prices.of("load_balancer_hour", HOURS) + self.prices.of("load_balancer_unit_hour", HOURS)
        return TASKS * task + balancer + self.prices.of("public_address_hour", ADDRESSES * HOURS)

    def break_even(self, mode: str, size: Size, *, answers_in_s: float | None = None) -> Decimal:
        """Queries a month from which on containers are cheaper; tables, queues and logs cost the same with both."""
        bill = self.per_million(mode, size, answers_in_s=answers_in_s)
        return self.container() / (bill.api + bill.functions) * MILLION

    def _function(self, name: str, lasts_s: float) -> Decimal:
        memory_mb = next(row.memory_mb for row in ROWS if row.name == name)
        gb_s = Decimal(memory_mb) / MB_OF_GB * Decimal(str(lasts_s))
        return self.prices.of("lambda_request", 1) + self.prices.of(f"lambda_gb_second_{self.architecture}", gb_s)


def _gb(*names: str) -> Decimal:
    """The memory of those functions together."""
    return Decimal(sum(row.memory_mb for row in ROWS if row.name in names)) / MB_OF_GB


def report(model: Model, *, answers_in_s: float | None = None) -> str:
    """The tables, in Markdown."""
    prices = model.prices
    when = f"in {prices.region}, read on {prices.read_on}"
    heading = f"US dollars at list price {when}, on {model.architecture}, without any free tier."
    tables = [_idle(model), _queries(model, answers_in_s), _ready(model), _containers(model, answers_in_s)]
    return "\n\n".join([heading, *tables])


def _idle(model: Model) -> str:
    parts = model.idle(Idle())
    together, releases = sum(parts.values()), model.releases()
    bill = {
        **parts,
        "together": together,
        f"in production {RELEASE_ALARMS} more alarms for each of {len(ROWS)} functions": releases,
        "together in production": together + releases,
    }
    return _table(["a month while nobody asks", "USD"], [[name, f"{usd:.2f}"] for name, usd in bill.items()])


def _ready(model: Model) -> str:
    rows = [[name, f"{usd:.2f}"] for name, usd in model.ready().items()]
    return _table(["a month so that a query waits for no start", "USD"], rows)


def _queries(model: Model, answers_in_s: float | None) -> str:
    rows = []
    for mode in MODES:
        for size in SIZES:
            bill = model.per_million(mode, size, answers_in_s=answers_in_s)
            figures = [bill.api, bill.functions, bill.tables, bill.rest, bill.total]
            rows.append([f"{mode}, {_described(size, answers_in_s)}", *(f"{figure:.2f}" for figure in figures)])
    return _table(["a million queries", "API Gateway", "Lambda", "DynamoDB", "the rest", "together"], rows)


def _containers(model: Model, answers_in_s: float | None) -> str:
    rows = []
    for mode in MODES:
        for size in SIZES:
            queries = model.break_even(mode, size, answers_in_s=answers_in_s)
            a_second = queries / HOURS / 3600
            waits_s = Decimal(str(answers_in_s if answers_in_s is not None else size.answers_in_s))
            rows.append([f"{mode}, {size.name}", f"{queries:,.0f}", f"{a_second:.2f}", f"{a_second * waits_s:.1f}"])
    title = f"containers that always run, {model.container():.2f} USD a month, are cheaper from"
    return _table([title, "queries a month", "a second", "at once"], rows)


def _described(size: Size, answers_in_s: float | None) -> str:
    waits_s = answers_in_s if answers_in_s is not None else size.answers_in_s
    return f"{size.name} ({size.question_bytes:,} bytes in, {size.answer_bytes:,} out, {waits_s:g} s)"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="make cost", description=__doc__)
    parser.add_argument("--architecture", choices=("arm64", "x86_64"), default="arm64")
    parser.add_argument(
        "--answers-in-s", type=_seconds, help="how long providers take; without it 2, 8 and 25 s by size"
    )
    chosen = parser.parse_args(arguments)
    model = Model(prices=read_prices(), architecture=chosen.architecture)
    sys.stdout.write(report(model, answers_in_s=chosen.answers_in_s) + "\n")
    return 0


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 840:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time that a provider may take: say 0 to 840 seconds")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
