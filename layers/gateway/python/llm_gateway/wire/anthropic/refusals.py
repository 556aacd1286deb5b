"""What Anthropic's API has and the gateway has not: refused by name, with what to do instead."""

from typing import Any, Final

from pydantic import AfterValidator

SERVER_TOOLS: Final = "tools that run at Anthropic are not offered: leave it out"
FILES: Final = "files are not kept at a provider: send the bytes, or an image's address"
STATELESS: Final = "the gateway keeps no state at a provider: leave it out"


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
