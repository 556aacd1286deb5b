"""A journal that remembers which queries ended, and how."""

from llm_gateway.domain.queries import Query
from llm_gateway.ports import Journal


class RecordingJournal(Journal):
    def __init__(self) -> None:
        self.written: list[Query] = []

    def ended(self, query: Query) -> None:
        self.written.append(query)

    @property
    def story(self) -> list[tuple[str, str]]:
        """The queries in the order of their ends: which, and how."""
        return [(query.id, query.status.value) for query in self.written]
