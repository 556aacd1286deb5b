"""API keys in memory."""

from llm_gateway.domain.admins import Admins
from llm_gateway.domain.keys import ApiKey
from llm_gateway.errors import KeyNotFound, RevisionConflict
from llm_gateway.ports.keys import KeyStore

from tests.adapters.audit_log import InMemoryChange
from tests.adapters.collection import InMemoryCollection


class InMemoryKeyStore(InMemoryCollection[ApiKey], KeyStore):
    def __init__(self) -> None:
        super().__init__(name="key", not_found=KeyNotFound)
        self._admins = Admins()

    def admins(self) -> Admins:
        self._reached()
        return self._admins

    def saving(
        self, key: ApiKey, *, expected_revision: int | None, admins: Admins | None = None
    ) -> tuple[InMemoryChange, ...]:
        def check() -> None:
            if expected_revision is None:
                self._expect_none(key.id)
            else:
                self._expect(key.id, expected_revision)
            if admins is not None and admins.revision != self._admins.revision + 1:
                raise RevisionConflict("Another admin's key has changed at the same time: read it again.")

        def write() -> None:
            with self._writing:
                self._documents[key.id] = key
                self._admins = admins or self._admins

        return (InMemoryChange(check=check, write=write),)

    def put(self, key: ApiKey) -> None:
        """In the place of what is there, whatever that is."""
        with self._writing:
            self._documents[key.id] = key
