"""The items of the prompts' table, and which collection of it holds what.

    collection          place                  what
    prompts             answer                 what is said of a prompt, its labels inside
    versions#answer     000000000003           a version, for ever
    live#answer         000000000003           the same once more, while it is the newest or a label names it
    roles               analyst                what is said of a role, once more
    roles               analyst#000000000003   a live version of a role, in the place of `live#…`
    suites              answer                 the tests of a prompt
    past                answer                 what is remembered of a deleted prompt
    watched             answer                 a mark, while one of its labels is watched
    used                analyst                a stamp, new whenever another prompt may have begun to name this role

A query knows a prompt's id and neither its version nor the roles in it, and has one round trip for all of them. So what is live
lies together: one read of the item in `prompts`, one query of `live#…` and one of `roles` go side by side. Copies are made in
the transaction that makes a version live. A version is immutable, so that a copy is never stale, only missing or needless; a
missing one is read by its number. An item per live version keeps each below DynamoDB's 400 KB (a version is 128 KB at most),
which one item with all of them would not be. Editors list prompts in `prompts` without their bodies, consistently.
"""

from typing import Final

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute, UnicodeSetAttribute

from llm_gateway.domain.prompts.prompts import PromptKind, PromptMetadata, PromptVersion
from llm_gateway.stores.codec import from_json, pack, to_json, unpack
from llm_gateway.stores.tables import Item

PROMPTS: Final = "prompts"
ROLES: Final = "roles"
SUITES: Final = "suites"
PAST: Final = "past"
WATCHED: Final = "watched"
USED: Final = "used"
HOLDING: Final = "prompts"
_DIGITS: Final = 12
_SEPARATOR: Final = "#"


class PromptItem(Item):
    """`changes` repeats the document's, for conditions; the rest beside `packed` is what lists are filtered by."""

    collection = UnicodeAttribute(hash_key=True)
    place = UnicodeAttribute(range_key=True)
    packed = BinaryAttribute(legacy_encoding=False, null=True)
    changes = NumberAttribute(null=True)
    kind = UnicodeAttribute(null=True)
    category = UnicodeAttribute(null=True)
    tags = UnicodeSetAttribute(null=True)
    folded_name = UnicodeAttribute(null=True)
    roles = UnicodeSetAttribute(null=True)
    stamp = UnicodeAttribute(null=True)


def folded(name: str) -> str:
    """What is compared of a name."""
    return name.casefold()


def versions_of(prompt_id: str) -> str:
    return f"versions{_SEPARATOR}{prompt_id}"


def place_of(number: int) -> str:
    return f"{number:0{_DIGITS}}"


def number_in(place: str) -> int:
    return int(place.rpartition(_SEPARATOR)[2])


def live_place(kind: PromptKind, prompt_id: str, number: int) -> tuple[str, str]:
    """Where the copy of a live version is."""
    if kind is PromptKind.ROLE:
        return ROLES, f"{prompt_id}{_SEPARATOR}{place_of(number)}"
    return live_of(prompt_id), place_of(number)


def live_of(prompt_id: str) -> str:
    return f"live{_SEPARATOR}{prompt_id}"


def is_version(item: PromptItem) -> bool:
    """Whether an item of `roles` is a version, and not what is said of a role."""
    return _SEPARATOR in item.place


def packed_metadata(prompt: PromptMetadata) -> bytes:
    return pack(to_json(PromptMetadata, prompt))


def metadata_in(item: PromptItem) -> PromptMetadata:
    return from_json(PromptMetadata, unpack(item.packed))


def packed_version(version: PromptVersion) -> bytes:
    return pack(to_json(PromptVersion, version))


def version_in(item: PromptItem) -> PromptVersion:
    return from_json(PromptVersion, unpack(item.packed))
