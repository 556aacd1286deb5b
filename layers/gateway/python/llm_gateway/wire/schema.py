"""What all schemas share: strictness on the way in, timestamps and money as text on the way out."""

import re
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Generic, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from llm_gateway.domain.identifiers import SLUG_PATTERN
from llm_gateway.domain.money import usd
from llm_gateway.settings import Release

T = TypeVar("T")

# Most of a request's parts are never validated by themselves, and an answer's are not needed for a refusal: a Lambda, whose start
# somebody waits for, builds each once it is. It answers one request at a time; several threads must not build the same schema.
_ONCE_NEEDED: Final = Release.from_environment() is not None
_LONGEST_NAME: Final = 100
_RFC3339: Final = re.compile(r"(?i)\d{4}-\d{2}-\d{2}t\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:z|[+-]\d{2}:\d{2})", re.ASCII)


def rfc3339(moment: datetime) -> str:
    """`2026-11-22T18:41:31.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def whole_seconds(moment: datetime) -> str:
    """`2026-11-22T18:00:00Z`: the start of a bucket."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


Timestamp = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]


def _moment(given: Any) -> datetime:
    """Raises ValueError for what is no RFC 3339 time: pydantic takes times without an offset, and numbers of seconds."""
    try:
        moment = (
            datetime.fromisoformat(given.upper()) if isinstance(given, str) and _RFC3339.fullmatch(given) else given
        )
        if isinstance(moment, datetime) and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be a time as text, such as 2027-01-31T00:00:00Z")


Moment = Annotated[datetime, BeforeValidator(_moment)]


# More of them are no misspelling, and each would be an error of its own.
MOST_UNKNOWN: Final = 20

Known = MutableMapping[int, "type[Incoming]"]
"""The schemas of the objects in which something unknown was found, by the objects' `id`."""


class Incoming(BaseModel):
    """A part of a request. An unknown field is an error, so that a misspelt option never silently does nothing.

    `elsewhere` says where a field belongs that other APIs have here, and `left_out` are those of the vendor whose API it is
    that are refused: where they are null, they ask for nothing. A `Known` may be given as the context of a
    validation: with it, an error can name the field that was meant.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, from_attributes=True, defer_build=_ONCE_NEEDED
    )

    elsewhere: ClassVar[Mapping[str, str]] = {}
    left_out: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _note_unknown(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, dict):
            return value
        fields = cls.known_fields()
        if len(value) > len(fields) + MOST_UNKNOWN:
            first = next(name for name in value if name not in fields)
            raise ValueError(f"has {len(value)} members; {first[:_LONGEST_NAME]!r} is the first that is not known")
        if not fields.issuperset(value):
            if info.context is not None:
                info.context[id(value)] = cls
            if not cls.left_out.isdisjoint(value):
                return {name: each for name, each in value.items() if each is not None or name not in cls.left_out}
        return value

    @classmethod
    def known_fields(cls) -> frozenset[str]:
        """The names that a client may write."""
        if "_known_fields" not in cls.__dict__:
            cls._known_fields = frozenset(field.alias or name for name, field in cls.model_fields.items())
        return cls._known_fields

    @classmethod
    def told_of_unknown(cls, name: str) -> str:
        """What to write instead of the field `name`, which this object does not have."""
        if name in cls.elsewhere:
            return f"is not a known field here: {cls.elsewhere[name]}"
        from difflib import get_close_matches

        near = get_close_matches(name[:_LONGEST_NAME], [*cls.known_fields(), *cls.elsewhere], n=1)
        if not near:
            return "is not a known field"
        return f"is not a known field: did you mean {near[0]!r}?" + _and_where(cls.elsewhere.get(near[0]))

    _known_fields: ClassVar[frozenset[str]]


def _and_where(place: str | None) -> str:
    return f" {place[:1].upper()}{place[1:]}" if place else ""


def wrong(field: str, message: str) -> PydanticCustomError:
    """What a validator of a whole object raises of one `field` in it."""
    return PydanticCustomError("wrong_field", "{message}", {"field": field, "message": message})


class Outgoing(BaseModel):
    """A part of an answer; the domain's values of the same shape become one by themselves."""

    model_config = ConfigDict(frozen=True, from_attributes=True, defer_build=_ONCE_NEEDED)


def build_schemas() -> None:
    """Builds the schema of every part of a request or an answer that is imported by now and has none yet."""
    kinds: list[type[BaseModel]] = [Incoming, Outgoing]
    for kind in kinds:
        kind.model_rebuild()
        kinds += kind.__subclasses__()


_ROOT_PATH: Final = "root_path"


def served_under(root_path: str) -> dict[str, str]:
    """The context to serialize an answer in for a client that called the API under `root_path`."""
    return {_ROOT_PATH: root_path}


def root_path(context: dict[str, str] | None) -> str:
    """What stands before the API's own paths in an answer that is serialized in `context`."""
    return (context or {}).get(_ROOT_PATH, "")


class Tagged(Outgoing):
    """A resource that can be changed, at a path of its own; `revision` counts its changes and is its `ETag`."""

    revision: int

    def own_path(self) -> str:
        raise NotImplementedError

    def etag(self) -> str:
        return f'"{self.revision}"'


class Revised(Tagged):
    """One that is a document of a collection."""

    collection: ClassVar[str]

    id: str
    created_at: Timestamp
    updated_at: Timestamp

    def own_path(self) -> str:
        return f"{self.collection}/{self.id}"

    def as_replayed(self) -> Self:
        """The answer as it is stored. A client that repeats the request under its Idempotency-Key gets it again."""
        return self


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
