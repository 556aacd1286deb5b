"""A prompt's labels over HTTP."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from llm_gateway.domain.prompts.prompts import Gate, Label, LabelMove
from llm_gateway.endpoints import BASE_PATH
from llm_gateway.services.prompts.labels import LONGEST_REASON, WHOLE, LabelDraft
from llm_gateway.wire.schema import Flag, Incoming, Outgoing, PositiveInt, Tagged, Timestamp, wrong

MOST_VERSIONS: Final = 8
_MOST_DIGITS: Final = 12


def _few(versions: Any) -> Any:
    if isinstance(versions, dict) and len(versions) > MOST_VERSIONS:
        raise ValueError(f"must have at most {MOST_VERSIONS} version(s)")
    return versions


def _some_weight(versions: dict[str, int]) -> dict[str, int]:
    if not any(versions.values()):
        raise ValueError("must give a weight above 0 to one version at least")
    for number in versions:
        if not (number.isascii() and number.isdecimal() and number[0] != "0" and len(number) <= _MOST_DIGITS):
            raise ValueError(f"{number[:20]!r} is no version's number")
    return versions


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable")
    return text


Weight = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Weights = Annotated[
    dict[str, Weight], Field(max_length=MOST_VERSIONS), BeforeValidator(_few), AfterValidator(_some_weight)
]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Ratio = Annotated[float, Field(strict=True, gt=0, le=1000)]


class GateBody(Incoming):
    """What the label asks of versions: `tests` of those that it is moved to, the rest of the lighter ones under weights."""

    tests: Flag | None = None
    max_error_rate: Share | None = None
    max_p95_ms: PositiveInt | None = None
    max_cost_ratio: Ratio | None = None
    max_validation_failure_rate: Share | None = None
    min_feedback: Share | None = None
    min_requests: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = None

    def to_domain(self) -> Gate:
        return Gate(**{name: value for name, value in self.model_dump().items() if value is not None})

    @classmethod
    def of(cls, gate: Gate) -> "GateBody":
        return cls(**{name: getattr(gate, name) for name in cls.model_fields})


class LabelBody(Incoming):
    """Where the label is to lead: one `version`, or several `versions` by their weights; or with `rollback` where it led before.

    What a prompt's answer shows of a label is accepted; `revision` must match if present.
    """

    version: PositiveInt | None = None
    versions: Weights | None = None
    rollback: Flag | None = None
    gate: GateBody | None = None
    reason: Annotated[str, Field(max_length=LONGEST_REASON), AfterValidator(_printable)] | None = None
    revision: PositiveInt | None = None
    history: Any = None
    rolled_back: Any = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> "LabelBody":
        target = self._target()
        if self.rollback and target is not None:
            raise wrong("rollback", "goes without version and versions")
        if not self.rollback and target is None and "gate" not in self.model_fields_set:
            raise wrong("version", "is required, or versions with their weights, or rollback")
        if self.version is not None and target != {self.version: WHOLE}:
            raise wrong("versions", f"names others than version {self.version}: leave one of the two out")
        return self

    def to_draft(self) -> LabelDraft:
        return LabelDraft(
            versions=self._target(),
            rollback=bool(self.rollback),
            gate=self.gate.to_domain() if self.gate else None,
            keeps_gate="gate" not in self.model_fields_set,
            reason=self.reason,
            revision=self.revision,
        )

    def _target(self) -> dict[int, int] | None:
        if self.versions is None:
            return None if self.version is None else {self.version: WHOLE}
        weights = {int(number): weight for number, weight in self.versions.items() if weight > 0}
        return weights if len(weights) > 1 else dict.fromkeys(weights, WHOLE)


class MoveShown(Outgoing):
    """One move of a label."""

    versions: dict[str, int]
    at: Timestamp
    by: str
    reason: str | None

    @classmethod
    def of(cls, move: LabelMove) -> "MoveShown":
        return cls(versions=_shown(move), at=move.at, by=move.by, reason=move.reason)


class RolledBackShown(Outgoing):
    """The version that lost its weight by itself, and the bound that it broke."""

    version: int
    reason: str
    at: Timestamp


class LabelShown(Outgoing):
    """A label. `version` is null while it has several; `history` has its last 20 moves, newest first."""

    version: int | None
    revision: int
    versions: dict[str, int]
    gate: GateBody | None
    rolled_back: RolledBackShown | None
    history: list[MoveShown]

    @classmethod
    def of(cls, label: Label) -> "LabelShown":
        return cls(**_members(label))


class LabelPlaced(LabelShown, Tagged):
    """A label, as its own resource: its `ETag` is its revision."""

    prompt_id: Annotated[str, Field(exclude=True)]
    name: Annotated[str, Field(exclude=True)]

    @classmethod
    def at(cls, prompt_id: str, label: Label) -> "LabelPlaced":
        return cls(**_members(label), prompt_id=prompt_id, name=label.name)

    def own_path(self) -> str:
        return f"{BASE_PATH}/prompts/{self.prompt_id}/labels/{self.name}"


def as_auditors_see(label: Label) -> dict[str, Any]:
    """The label as JSON, as the audit log tells of it: its history is the log's own."""
    return LabelShown.of(label).model_dump(mode="json", exclude={"history"})


def _members(label: Label) -> dict[str, Any]:
    return {
        "version": label.version,
        "revision": label.revision,
        "versions": _shown(label),
        "gate": GateBody.of(label.gate) if label.gate else None,
        "rolled_back": label.rolled_back,
        "history": [MoveShown.of(move) for move in label.history],
    }


def _shown(weighted: Label | LabelMove) -> dict[str, int]:
    return {str(version): weight for version, weight in sorted(weighted.versions.items())}
