"""Providers: who answers."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Unpack

from llm_gateway_client import calls
from llm_gateway_client.answers import ProviderConfig, ProviderList, ProviderStatus
from llm_gateway_client.asynchronous.transport import AsyncTransport
from llm_gateway_client.requests import ProviderCreate, ProviderUpdate


class AsyncProviders:
    """`client.providers`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def list(self, *, page_size: int = 100) -> AsyncIterator[ProviderConfig]:
        """Every provider."""
        async for page in self._transport.pages(calls.get("providers", limit=page_size), ProviderList):
            for each in page.items:
                yield each

    async def create(self, **provider: Unpack[ProviderCreate]) -> ProviderConfig:
        """A new provider."""
        return await self._transport.send(calls.post("providers", body=provider), ProviderConfig)

    async def get(self, provider_id: str) -> ProviderConfig:
        """One provider."""
        return await self._transport.send(calls.get("providers", provider_id), ProviderConfig)

    async def update(
        self, provider_id: str, provider: ProviderUpdate | Mapping[str, Any], *, if_match: int | None = None
    ) -> ProviderConfig:
        """Puts `provider` in the place of what was there; stored credentials stay where none come along."""
        return await self._transport.send(
            calls.put("providers", provider_id, body=provider, if_match=if_match), ProviderConfig
        )

    async def rotate(self, provider_id: str, api_key: str) -> ProviderConfig:
        """Gives it another API key, and leaves the rest. Raises `RevisionConflict` if it changes meanwhile."""
        now = await self.get(provider_id)
        body = now.model_dump(mode="json") | {"credentials": {"api_key": api_key}}
        return await self.update(provider_id, body, if_match=now.revision)

    async def delete(self, provider_id: str, *, if_match: int | None = None) -> None:
        """Removes it, with its credentials."""
        await self._transport.respond(calls.delete("providers", provider_id, if_match=if_match))

    async def status(self, provider_id: str, *, probe: bool = False) -> ProviderStatus:
        """How it does; with `probe` after one live call."""
        call = calls.get("providers", provider_id, "status", probe=probe or None)
        return await self._transport.send(call, ProviderStatus)
