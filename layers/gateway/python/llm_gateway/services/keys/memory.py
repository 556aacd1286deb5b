"""What a process remembers of the last requests. It has bounds, so that a caller cannot fill the memory with many requests."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock


class Recent:
    """The last `most` times that were noted, by name; a set where a time does not matter."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._noted: OrderedDict[Hashable, float] = OrderedDict()
        self._writing = Lock()

    def add(self, name: Hashable, at_s: float = 0.0) -> None:
        with self._writing:
            self._noted[name] = at_s
            self._noted.move_to_end(name)
            if len(self._noted) > self._most:
                self._noted.popitem(last=False)

    def get(self, name: Hashable) -> float | None:
        return self._noted.get(name)

    def __contains__(self, name: Hashable) -> bool:
        return name in self._noted
