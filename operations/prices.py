"""AWS's list prices, from the dated file beside this one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("prices.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What one unit of each thing costs: a request, a GB, an hour, a month."""

    region: str
    read_on: str
    usd: Mapping[str, Decimal]

    def of(self, name: str, amount: float | Decimal) -> Decimal:
        """What `amount` of a thing costs. Raises KeyError for one that has no price."""
        return self.usd[name] * Decimal(str(amount))


def read_prices(file: Path = FILE) -> Prices:
    """The file's prices, each for one unit."""
    found = json.loads(file.read_text())
    usd = {
        name: Decimal(price["usd"]) / Decimal(price["per"].partition(" ")[0]) for name, price in found["prices"].items()
    }
    return Prices(region=found["region"], read_on=found["read_on"], usd=usd)
