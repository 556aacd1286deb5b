"""What all schemas share: strictness on the way in, timestamps and money as text on the way out."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from llm_gateway.domain.identifiers import SLUG_PATTERN
from llm_gateway.domain.money import usd

T = TypeVar("T")


def rfc3339(moment: datetime) -> str:
    """`2026-11-22T18:41:31.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Timestamp = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]


class Incoming(BaseModel):
    """A part of a request. An unknown field is an error, so that a misspelt option never silently does nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, from_attributes=True)


def wrong(field: str, message: str) -> PydanticCustomError:
    """What a validator of a whole object raises of one `field` in it."""
    return PydanticCustomError("wrong_field", "{message}", {"field": field, "message": message})


class Outgoing(BaseModel):
    """A part of an answer; the domain's values of the same shape become one by themselves."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Revised(Outgoing):
    """A resource that can be changed; `revision` counts its changes and is its `ETag`."""

    collection: ClassVar[str]

    id: str
    revision: int
    created_at: Timestamp
    updated_at: Timestamp

    def own_path(self) -> str:
        return f"{self.collection}/{self.id}"

    def etag(self) -> str:
        return f'"{self.revision}"'


class PageOf(Outgoing, Generic[T]):
    """Some items of a list; `next_cursor` asks for the next ones, null after the last."""

    items: list[T]
    next_cursor: str | None


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


Usd = Annotated[Decimal, PlainSerializer(usd, return_type=str)]
Slug = Annotated[str, Field(pattern=SLUG_PATTERN)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_not_blank)]
PositiveInt = Annotated[int, Field(strict=True, ge=1, le=2**53 - 1)]  # Above, JSON readers round.
Flag = Annotated[bool, Field(strict=True)]
