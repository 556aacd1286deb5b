"""What a gateway has and a file does not name, and how it is removed: asked for by name alone."""

from collections.abc import Iterator
from functools import partial

from llm_gateway_client.manifests import Change, Manifest
from llm_gateway_client.synchronous.client import GatewayClient


def removals(manifest: Manifest, client: GatewayClient) -> Iterator[Change]:
    """A step for all that is in none of the sections that the file has, in the order in which they can be taken.

    A section that the file has not, what ships with the gateway, and the key that asks are left alone. Nothing is removed yet.
    """
    if "prompts" in manifest.sections:
        yield from _prompts({prompt["id"] for prompt in manifest.prompts}, client)
    if "providers" in manifest.sections:
        yield from _providers({provider["id"] for provider in manifest.providers}, client)
    if "keys" in manifest.sections:
        yield from _keys({key["name"] for key in manifest.keys}, client)


def _prompts(named: set[str], client: GatewayClient) -> Iterator[Change]:
    there = [prompt for prompt in client.prompts.list() if not prompt.built_in and prompt.id not in named]
    # A role can go when no prompt names it any more.
    for prompt in sorted(there, key=lambda each: each.kind == "role"):
        remove = partial(client.prompts.delete, prompt.id, if_match=prompt.revision)
        yield Change(sign="-", what=f"{prompt.kind} {prompt.id}", carry_out=remove)


def _providers(named: set[str], client: GatewayClient) -> Iterator[Change]:
    for provider in client.providers.list():
        if provider.id not in named:
            remove = partial(client.providers.delete, provider.id, if_match=provider.revision)
            yield Change(sign="-", what=f"provider {provider.id}", carry_out=remove)


def _keys(named: set[str], client: GatewayClient) -> Iterator[Change]:
    own = client.keys.own().id
    for key in client.keys.list():
        if key.status == "active" and key.name not in named and key.id != own:
            revoke = partial(client.keys.revoke, key.id, if_match=key.revision)
            yield Change(sign="-", what=f"key {key.name} ({key.id})", carry_out=revoke)
