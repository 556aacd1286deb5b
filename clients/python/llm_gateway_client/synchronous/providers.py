# Written by `make openapi` from the asynchronous module of the same name; do not edit.
"""Providers: who answers."""

from collections.abc import Iterator, Mapping
from typing import Any, Unpack

from llm_gateway_client import calls
from llm_gateway_client.answers import ProviderConfig, ProviderList, ProviderStatus
from llm_gateway_client.requests import ProviderCreate, ProviderUpdate
from llm_gateway_client.synchronous.transport import Transport


class Providers:
    """`client.providers`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, page_size: int = 100) -> Iterator[ProviderConfig]:
        """Every provider."""
        for page in self._transport.pages(calls.get("providers", limit=page_size), ProviderList):
            for each in page.items:
                yield each

    def create(self, **provider: Unpack[ProviderCreate]) -> ProviderConfig:
        """A new provider."""
        return self._transport.send(calls.post("providers", body=provider), ProviderConfig)

    def get(self, provider_id: str) -> ProviderConfig:
        """One provider."""
        return self._transport.send(calls.get("providers", provider_id), ProviderConfig)

    def update(
        self, provider_id: str, provider: ProviderUpdate | Mapping[str, Any], *, if_match: int | None = None
    ) -> ProviderConfig:
        """Puts `provider` in the place of what was there; stored credentials stay where none come along."""
        return self._transport.send(
            calls.put("providers", provider_id, body=provider, if_match=if_match), ProviderConfig
        )

    def rotate(self, provider_id: str, api_key: str) -> ProviderConfig:
        """Gives it another API key, and leaves the rest. Raises `RevisionConflict` if it changes meanwhile."""
        now = self.get(provider_id)
        body = now.model_dump(mode="json") | {"credentials": {"api_key": api_key}}
        return self.update(provider_id, body, if_match=now.revision)

    def delete(self, provider_id: str, *, if_match: int | None = None) -> None:
        """Removes it, with its credentials."""
        self._transport.respond(calls.delete("providers", provider_id, if_match=if_match))

    def status(self, provider_id: str, *, probe: bool = False) -> ProviderStatus:
        """How it does; with `probe` after one live call."""
        call = calls.get("providers", provider_id, "status", probe=probe or None)
        return self._transport.send(call, ProviderStatus)
