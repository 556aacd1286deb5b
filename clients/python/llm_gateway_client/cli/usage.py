"""`llm-gateway usage`: what it has come to, as bars."""

from decimal import Decimal
from typing import Annotated, Final

import typer
from rich.text import Text

from llm_gateway_client.answers import UsageRow
from llm_gateway_client.cli.session import Json, session
from llm_gateway_client.cli.times import Since, Until, moment

By = Annotated[str | None, typer.Option(help="key, provider, model, prompt or tag.")]
Per = Annotated[str | None, typer.Option(help="hour, day or month.")]

_BAR: Final = 30
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


def show_usage(by: By = None, per: Per = None, since: Since = None, until: Until = None, as_json: Json = False) -> None:
    """Show what queries have come to: of the last 24 hours, or since a time."""
    rows = list(session().client.usage(since=moment(since), until=moment(until), group_by=by, bucket=per))
    terminal = session().terminal
    if as_json:
        terminal.json(rows)
        return
    # Bars are of dollars where any are known, else of requests.
    costs = any(Decimal(row.cost_usd or 0) for row in rows)
    most = max((_size(row, costs) for row in rows), default=Decimal(0))
    terminal.table(
        (*_named(by, per), "requests", "errors", "cached", "tokens in", "out", "$", "cost" if costs else "requests "),
        [(*_names(row, by, per), *_figures(row), _bar(_size(row, costs), most)) for row in rows],
        right=("requests", "errors", "cached", "tokens in", "out", "$"),
    )
    unpriced = sum(row.unpriced_requests for row in rows)
    if unpriced:
        terminal.note(f"The cost of {unpriced} requests is not known, and not in the sums.")


def _named(by: str | None, per: str | None) -> tuple[str, ...]:
    return tuple(name for name in (per, by) if name)


def _names(row: UsageRow, by: str | None, per: str | None) -> tuple[str | None, ...]:
    bucket = (row.bucket or "")[: {"day": 10, "month": 7}.get(per or "", 16)]
    return (*((bucket,) if per else ()), *((getattr(row, by, None),) if by else ()))


def _figures(row: UsageRow) -> tuple[object, ...]:
    return row.requests, row.errors, row.cache_hits, row.input_tokens, row.output_tokens, row.cost_usd


def _size(row: UsageRow, costs: bool) -> Decimal:
    return Decimal(row.cost_usd or 0) if costs else Decimal(row.requests)


def _bar(size: Decimal, most: Decimal) -> Text:
    """As long as the share of the longest one."""
    eighths = int(size / most * _BAR * 8) if most else 0
    whole, rest = divmod(eighths, 8)
    return Text((_EIGHTHS[8] * whole + _EIGHTHS[rest]).rstrip(), style="cyan")
