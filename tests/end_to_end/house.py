"""A gateway that programs of others ask, wherever it runs, with providers over HTTP that do what they are asked."""

import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import anthropic
import openai

from tests.adapters.obliging_upstream import ObligingUpstream
from tests.end_to_end.calling import Client
from tests.end_to_end.stack import register

GPT, CLAUDE, SMALL = MODELS = ("drop-openai/gpt-4.1-mini", "drop-anthropic/claude-sonnet-4-5", "drop-own/org/small")


@dataclass(frozen=True, kw_only=True)
class House:
    """A gateway that has the three models, and what a program needs to ask it as `caller`.

    `certificates` are those to trust where no public authority vouches for the address.
    """

    caller: Client
    upstream: ObligingUpstream
    folder: Path
    certificates: Path | None
    clients: ExitStack
    """Closes them: what the collector finds of one may have lost its connection first."""

    @property
    def url(self) -> str:
        return str(self.caller.http.base_url).rstrip("/")

    @property
    def key(self) -> str:
        assert self.caller.key
        return self.caller.key

    @cached_property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificates)

    def openai(self, **more: Any) -> openai.OpenAI:
        given = {"api_key": self.key, "http_client": openai.DefaultHttpxClient(verify=self.tls), **more}
        return self.clients.enter_context(openai.OpenAI(base_url=f"{self.url}/v1", **given))

    def anthropic(self) -> anthropic.Anthropic:
        http = anthropic.DefaultHttpxClient(verify=self.tls)
        return self.clients.enter_context(anthropic.Anthropic(base_url=self.url, api_key=self.key, http_client=http))

    def run(self, *command: str | Path) -> str:
        """What the command prints, run in the house's folder with the gateway's address and key in its environment."""
        known = {"GATEWAY_URL": self.url, "GATEWAY_KEY": self.key, "LLM_USER_PATH": str(self.folder)}
        plain = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "NO_PROXY": "*", "LANGSMITH_TRACING": "false"}
        trust = {"SSL_CERT_FILE": str(self.certificates)} if self.certificates else {}
        ended = subprocess.run(
            command,
            env=plain | known | trust,
            capture_output=True,
            text=True,
            timeout=300,
            cwd=self.folder,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout.strip()


@contextmanager
def running_house(admin: Client, caller: Client, folder: Path, *, certificates: Path | None = None) -> Iterator[House]:
    """The gateway that both clients ask, with three providers until the block ends; `folder` is for the programs' files."""
    with ObligingUpstream() as upstream, _registered(admin, upstream), ExitStack() as clients:
        yield House(caller=caller, upstream=upstream, folder=folder, certificates=certificates, clients=clients)


@contextmanager
def _registered(admin: Client, upstream: ObligingUpstream) -> Iterator[None]:
    providers: dict[str, dict[str, Any]] = {
        "drop-openai": {"kind": "openai", "default_model": "gpt-4.1-mini", "credentials": {"api_key": "sk-a-vendors-own"}},
        "drop-anthropic": {
            "kind": "anthropic",
            "base_url": upstream.anthropic_base_url,
            "default_model": "claude-sonnet-4-5",
            "credentials": {"api_key": "sk-ant-a-vendors-own"},
        },
        "drop-own": {"default_model": "org/small", "models": [{"name": "org/small"}]},
    }  # fmt: skip
    for name, said in providers.items():
        register(admin, upstream, id=name, **{"models": [], "retry": {"max_attempts": 2}, **said})
    try:
        yield
    finally:
        for name in providers:
            assert admin.send("DELETE", f"/providers/{name}").status_code == 204
