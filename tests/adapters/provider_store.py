"""Provider configurations in memory, in order of their ids."""

from threading import Lock

from llm_gateway.domain.providers import ProviderConfig
from llm_gateway.errors import AlreadyExists, ProviderNotFound, RevisionConflict
from llm_gateway.ports.providers import ProviderStore
from llm_gateway.ports.system import Page
from llm_gateway.stores.cursors import from_cursor, to_cursor


class InMemoryProviderStore(ProviderStore):
    def __init__(self) -> None:
        self._configs: dict[str, ProviderConfig] = {}
        self._writing = Lock()

    def add(self, config: ProviderConfig) -> None:
        with self._writing:
            if config.id in self._configs:
                raise AlreadyExists(f"The provider id {config.id!r} is taken.")
            self._configs[config.id] = config

    def get(self, provider_id: str) -> ProviderConfig:
        config = self._configs.get(provider_id)
        if config is None:
            raise ProviderNotFound(provider_id)
        return config

    def all(self, *, fresh: bool = False) -> tuple[ProviderConfig, ...]:
        return tuple(sorted(self._configs.values(), key=lambda config: config.id))

    def page(self, *, limit: int, cursor: str | None) -> Page[ProviderConfig]:
        after = from_cursor(cursor, "provider_id")["provider_id"] if cursor is not None else ""
        rest = [config for config in self.all() if config.id > after]
        more = len(rest) > limit
        return Page(
            items=tuple(rest[:limit]),
            next_cursor=to_cursor({"provider_id": rest[limit - 1].id}) if more else None,
        )

    def replace(self, config: ProviderConfig, *, expected_revision: int) -> None:
        with self._writing:
            self._expect(config.id, expected_revision)
            self._configs[config.id] = config

    def delete(self, provider_id: str, *, expected_revision: int | None) -> None:
        with self._writing:
            self._expect(provider_id, expected_revision)
            del self._configs[provider_id]

    def _expect(self, provider_id: str, revision: int | None) -> None:
        stored = self.get(provider_id)
        if revision not in (None, stored.revision):
            raise RevisionConflict(f"The provider is at revision {stored.revision} by now: read it again.")
