"""How members that other APIs have, and the gateway has not, are refused by name."""

from typing import Any

from pydantic import AfterValidator


def refused(instead: str, *, even_null: bool = False) -> AfterValidator:
    """Refuses a member; one that is null asks for nothing, and is refused where that is said."""

    def refuse(value: Any) -> Any:
        if value is not None or even_null:
            raise ValueError(f"is not taken here: {instead}")
        return value

    return AfterValidator(refuse)


def only(*taken: Any, instead: str) -> AfterValidator:
    """Refuses a member that is neither null nor among those `taken`, which ask for nothing."""

    def check(value: Any) -> Any:
        if value is not None and value not in taken:
            raise ValueError(f"is not taken here: {instead}")
        return value

    return AfterValidator(check)
