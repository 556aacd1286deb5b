"""API keys: who may ask."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Unpack

from llm_gateway_client import calls
from llm_gateway_client.answers import ApiKey, KeyIssued, KeyList, OwnKey
from llm_gateway_client.asynchronous.transport import AsyncTransport
from llm_gateway_client.requests import KeyCreate, KeyUpdate


class AsyncKeys:
    """`client.keys`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def list(self, *, page_size: int = 100) -> AsyncIterator[ApiKey]:
        """Every key, the revoked ones of the last 90 days among them."""
        async for page in self._transport.pages(calls.get("keys", limit=page_size), KeyList):
            for each in page.items:
                yield each

    async def create(self, **key: Unpack[KeyCreate]) -> KeyIssued:
        """A new key. Its secrets are shown this once; null where the first answer was lost on its way: rotate the key then."""
        return await self._transport.send(calls.post("keys", body=key), KeyIssued)

    async def own(self) -> OwnKey:
        """The key that asks, with what is left of its budget."""
        return await self._transport.send(calls.get("keys", "self"), OwnKey)

    async def get(self, key_id: str) -> ApiKey:
        """One key."""
        return await self._transport.send(calls.get("keys", key_id), ApiKey)

    async def update(
        self, key_id: str, changes: KeyUpdate | Mapping[str, Any], *, if_match: int | None = None
    ) -> ApiKey:
        """Merges `changes`; None clears."""
        return await self._transport.send(calls.patch("keys", key_id, body=changes, if_match=if_match), ApiKey)

    async def rotate(self, key_id: str, *, overlap_s: int = 0) -> KeyIssued:
        """New secrets; those of now are valid for `overlap_s` more seconds."""
        return await self._transport.send(
            calls.post("keys", key_id, "rotate", body={"overlap_s": overlap_s}), KeyIssued
        )

    async def revoke(self, key_id: str, *, if_match: int | None = None) -> None:
        """Ends a key: its next request is refused."""
        await self._transport.respond(calls.delete("keys", key_id, if_match=if_match))
