"""Any port, watched: what it was asked, and faults to order."""

from collections.abc import Callable
from typing import Any


class Watched:
    """Passes everything on to `port`. `asked` lists the methods' names; one that `faults` names raises that instead,
    or of a list one a call.

    `first` is done once, before a method passes its call on; a `late` fault comes when the work is done: its answer is lost.
    """

    def __init__(self, port: Any) -> None:
        self.port = port
        self.asked: list[str] = []
        self.faults: dict[str, Exception | list[Exception]] = {}
        self.late: dict[str, Exception] = {}
        self.first: dict[str, Callable[[], object]] = {}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.port, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self.asked.append(name)
            self.first.pop(name, lambda: None)()
            fault = self.faults.get(name)
            if isinstance(fault, list):
                fault = fault.pop(0) if fault else None
            if fault is not None:
                raise fault
            answer = method(*arguments, **named)
            if name in self.late:
                raise self.late.pop(name)
            return answer

        return call

    def count(self, *names: str) -> int:
        """How often these were asked."""
        return sum(self.asked.count(name) for name in names)
