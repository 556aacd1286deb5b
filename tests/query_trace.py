"""What one plain query touches: the functions, files and values of the product on its way, told by the interpreter's profiler.

`python -m tests.query_trace` prints it; `--all` names every function and every value too.
"""

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "layers/gateway/python/llm_gateway"
# Python 3.12 runs them within the function around them.
_INLINED = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>"})
_WARM_UPS = 3


@dataclass
class Trace:
    """`calls` are frames: a generator counts once, however often it goes on. `moves` are changes of file in call order."""

    frames: list[FrameType] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    files: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)
    moves: int = 0
    is_counting: bool = False
    _known: set[int] = field(default_factory=set)
    _last: dict[int, str] = field(default_factory=dict)
    _product: dict[CodeType, str | None] = field(default_factory=dict)

    def profile(self, frame: FrameType, event: str, arg: Any) -> None:
        if not self.is_counting or frame.f_code.co_name in _INLINED:
            return
        if event == "call":
            self._note_call(frame)
        elif event == "return" and frame.f_code in self._product:
            self._note_type(arg)

    def _note_call(self, frame: FrameType) -> None:
        if frame.f_code.co_name == "__init__" and frame.f_code.co_filename == "<string>":
            self._note_type(frame.f_locals.get("self"))
        code = frame.f_code
        if code not in self._product:
            self._product[code] = _product_file(code)
        file = self._product[code]
        if file is None:
            return
        thread = threading.get_ident()
        if self._last.get(thread) not in (None, file):
            self.moves += 1
        self._last[thread] = file
        self.files.add(file)
        if id(frame) not in self._known:
            # Kept, so that no later frame has its address.
            self.frames.append(frame)
            self._known.add(id(frame))
            self.calls[f"{file}:{code.co_qualname}"] += 1

    def _note_type(self, value: Any) -> None:
        kind = type(value)
        is_value = hasattr(kind, "__dataclass_fields__") or hasattr(kind, "model_fields")
        if is_value and kind.__module__.startswith("llm_gateway."):
            self.types.add(f"{kind.__module__.removeprefix('llm_gateway.')}.{kind.__name__}")

    def summary(self) -> dict[str, int]:
        return {
            "files": len(self.files),
            "functions": len(self.calls),
            "calls": sum(self.calls.values()),
            "moves": self.moves,
            "types": len(self.types),
        }


def _product_file(code: CodeType) -> str | None:
    path = Path(code.co_filename)
    if path.is_relative_to(PACKAGE):
        return str(path.relative_to(PACKAGE))
    return f"functions/{path.name}" if path.parent == ROOT / "functions" else None


def traced_query() -> Trace:
    """One plain query, asked and answered in this process over the tests' fakes, after others have warmed it up."""
    trace = Trace()
    # Before anything starts a thread: a thread is profiled from its start, or not at all.
    threading.setprofile(trace.profile)
    sys.setprofile(trace.profile)
    try:
        _ask(trace)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return trace


def _ask(trace: Trace) -> None:
    with asking() as ask:
        for number in range(_WARM_UPS + 1):
            trace.is_counting = number == _WARM_UPS
            ask()
            trace.is_counting = False


@contextmanager
def asking() -> Iterator[Callable[[], None]]:
    """What asks a plain query, and has it answered, in this process over the tests' fakes."""
    from llm_gateway.domain.keys import Role
    from llm_gateway.entrypoints.http import app_of
    from starlette.testclient import TestClient

    from functions.__main__ import every_endpoint
    from tests.adapters.gateway import FakeGateway
    from tests.entrypoints.conftest import PROVIDER, PROVIDERS, QUERY, QUESTION

    gateway = FakeGateway()
    secret = gateway.new_key(Role.ADMIN)[1]
    with TestClient(app_of(*every_endpoint(), gateway=lambda: gateway)) as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        assert client.post(PROVIDERS, json=PROVIDER).status_code == 201

        def ask() -> None:
            response = client.post(QUERY, json=QUESTION)
            assert response.status_code == 200, response.text

        yield ask


def main() -> None:
    trace = traced_query()
    if "--all" in sys.argv:
        print(*(f"{count:3} {function}" for function, count in sorted(trace.calls.items())), sep="\n")
        print(*sorted(trace.types), sep="\n")
    print(json.dumps(trace.summary()))


if __name__ == "__main__":
    main()
