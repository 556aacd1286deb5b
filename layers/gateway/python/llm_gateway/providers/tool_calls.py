"""Tool calls as they are written, joined by what the provider keeps: an id before a place in the list, that before order."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

from llm_gateway.domain.chat import ChatRequest, ToolCall, ToolCallDelta
from llm_gateway.domain.faults import ProviderResponseInvalid
from llm_gateway.providers import untrusted
from llm_gateway.providers.bounds import LONGEST_CALL_ID, LONGEST_CALL_NAME, MOST_CALLS

# What a caller may send back as a tool's name: the gateway takes back what it hands out.
_NO_NAME: Final = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(slots=True)
class Growing:
    """A text that comes in pieces. Half of a surrogate pair waits for the other half, which the next piece may bring."""

    pieces: list[str] = field(default_factory=list)
    _half: str = ""

    def add(self, piece: str) -> str:
        """What can be handed on now."""
        piece = self._half + piece
        self._half = piece[-1:] if "\ud800" <= piece[-1:] <= "\udbff" else ""
        return self._keep(piece[:-1] if self._half else piece)

    def end(self) -> str:
        """What is left to be handed on."""
        half, self._half = self._half, ""
        return self._keep(half)

    def __str__(self) -> str:
        return "".join(self.pieces)

    def _keep(self, text: str) -> str:
        ready = untrusted.clean(text)
        if ready:
            self.pieces.append(ready)
        return ready


@dataclass(slots=True, kw_only=True)
class _Call:
    """The call number `index` of the answer; `given_id` and `place` are the provider's."""

    index: int
    given_id: str | None
    place: int | None
    id: str
    name: str = ""
    arguments: Growing = field(default_factory=Growing)
    # Arguments that hold unless pieces of them follow.
    preset: str = ""
    shown: int = 0


@dataclass(slots=True, kw_only=True)
class ToolCalls:
    """The calls of one answer in the order in which they begin. Each method returns what can be handed on."""

    request: ChatRequest
    calls: list[_Call] = field(default_factory=list)
    _by_id: dict[str, _Call] = field(default_factory=dict)
    _by_place: dict[int, _Call] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.calls)

    def begin(
        self,
        *,
        given: object,
        place: int | None,
        name: object,
        arguments: str = "",
        preset: str = "",
    ) -> list[ToolCallDelta]:
        """A call that is known to be another one. A name may come later; an id of the gateway's own stands in for one."""
        if len(self.calls) >= MOST_CALLS:
            raise ProviderResponseInvalid(f"The provider's answer has more than {MOST_CALLS} tool calls.")
        given_id, index = _given_id(given), len(self.calls)
        usable = given_id if given_id not in self._by_id else None
        call = _Call(index=index, given_id=given_id, place=place, id=usable or self._own_id(index), preset=preset)
        self.calls.append(call)
        if given_id is not None:
            self._by_id.setdefault(given_id, call)
        if place is not None:
            self._by_place[place] = call
        return self._extend(call, name, arguments)

    def join(
        self,
        *,
        given: object,
        place: int | None,
        name: object,
        arguments: str,
        begun: set[int],
    ) -> list[ToolCallDelta]:
        """A piece of a call, or a new one. `begun` are the calls that the same event has spoken of already, by their index."""
        given_id = _given_id(given)
        call = self._continued(given_id, place, named=bool(name), begun=begun)
        if call is None:
            begun.add(len(self.calls))
            return self.begin(given=given, place=place, name=name, arguments=arguments)
        begun.add(call.index)
        if given_id is not None and call.given_id is None:
            call.given_id = given_id
            self._by_id.setdefault(given_id, call)
        return self._extend(call, name, arguments)

    def extend(self, place: int | None, arguments: str) -> list[ToolCallDelta]:
        """A piece of the arguments of the call that was last begun at `place`."""
        call = self._at(place)
        if call is None:
            raise ProviderResponseInvalid("The provider continued a tool call that it had not begun.")
        return self._extend(call, None, arguments)

    def settle(self, place: int | None, *, whole: str = "") -> list[ToolCallDelta]:
        """No more pieces of the call at `place` come: what it was begun with holds, or the `whole` where nothing came."""
        call = self._by_place.get(place) if place is not None else None
        if call is None:
            return []
        call.preset = whole or call.preset
        return self._settle(call)

    def end(self) -> list[ToolCallDelta]:
        """No more pieces come at all. Raises `ProviderResponseInvalid` for a call that was never named."""
        if any(not call.name for call in self.calls):
            raise ProviderResponseInvalid("The provider's answer calls a tool without saying which.")
        return [delta for call in self.calls for delta in self._settle(call)]

    def whole(self) -> tuple[ToolCall, ...]:
        kept = self.calls[:1] if self.is_cut else self.calls
        return tuple(ToolCall(id=call.id, name=call.name, arguments=str(call.arguments)) for call in kept)

    @property
    def is_cut(self) -> bool:
        """Whether the model made further calls where one at a time was asked for: only the first is handed out."""
        return len(self.calls) > 1 and not self.request.parallel_tool_calls

    def generated(self) -> str:
        return "".join(f"{call.name}{call.arguments}" for call in self.calls)

    def _continued(self, given: str | None, place: int | None, *, named: bool, begun: set[int]) -> _Call | None:
        """The call that a piece belongs to; None where it begins one."""
        call = self._at(place)
        if given is not None and given in self._by_id:
            known = call if call is not None and call.given_id == given else self._by_id[given]
            return None if named and _is_another(known, place) else known
        if call is None or (not named and given is None):
            return call
        if given is not None and call.given_id is not None:
            # A name belongs to a call's first piece; some servers give every piece an id of its own.
            return None if named else call
        again = call.index in begun and place is None
        return None if named and (again or _is_json(str(call.arguments))) else call

    def _at(self, place: int | None) -> _Call | None:
        if place is not None:
            return self._by_place.get(place)
        return self.calls[-1] if self.calls else None

    def _extend(self, call: _Call, name: object, arguments: str) -> list[ToolCallDelta]:
        call.arguments.add(arguments)
        if not call.name:
            call.name = _usable_name(name)
        return self._show(call)

    def _settle(self, call: _Call) -> list[ToolCallDelta]:
        """The gateway's answers always have a JSON text for arguments."""
        call.arguments.end()
        if not call.arguments.pieces:
            call.arguments.add(call.preset or "{}")
        return self._show(call)

    def _show(self, call: _Call) -> list[ToolCallDelta]:
        """What is new of a call that has its name: nobody can do anything with a call before that."""
        if not call.name or (call.index and not self.request.parallel_tool_calls):
            return []
        first, new = call.shown == 0, "".join(call.arguments.pieces[max(call.shown - 1, 0) :])
        call.shown = len(call.arguments.pieces) + 1
        if first:
            return [ToolCallDelta(index=call.index, id=call.id, name=call.name, arguments=new)]
        return [ToolCallDelta(index=call.index, arguments=new)] if new else []

    def _own_id(self, index: int) -> str:
        """An id that no other call of the conversation has: it is made of all that was said before."""
        asked = repr((self.request.messages, index)).encode("utf-8", "backslashreplace")
        return f"call_{hashlib.sha256(asked).hexdigest()[:24]}"


def _is_another(call: _Call, place: int | None) -> bool:
    """Whether a named piece at `place` begins a call of its own under an id that `call` has, as it is whole and elsewhere."""
    return place != call.place and _is_json(str(call.arguments))


def _is_json(text: str) -> bool:
    if not text.endswith("}"):
        return False
    try:
        return isinstance(untrusted.parsed(text), dict)
    except ProviderResponseInvalid:
        return False


def _given_id(value: object) -> str | None:
    given = untrusted.text_or_none(value)
    if given is None or not given.strip():
        return None
    if len(given) > LONGEST_CALL_ID:
        raise ProviderResponseInvalid(
            f"The provider's answer has a tool call's id of more than {LONGEST_CALL_ID} characters."
        )
    return given


def _usable_name(value: object) -> str:
    """As a caller can send it back; empty where it is still to come."""
    name = (untrusted.text_or_none(value) or "").strip()
    if len(name) > LONGEST_CALL_NAME:
        raise ProviderResponseInvalid(
            f"The provider's answer has a tool's name of more than {LONGEST_CALL_NAME} characters."
        )
    return _NO_NAME.sub("_", name)
