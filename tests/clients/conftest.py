"""A server that verifies what the clients sign."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from llm_gateway.domain.signatures import signing_secret
from llm_gateway.entrypoints.observe import logger

from tests.adapters.gateway import FakeGateway
from tests.adapters.signing import KEY_ID
from tests.adapters.verifying_server import Verifier, running_verifier
from tests.clients.command_line import CommandLine
from tests.entrypoints.conftest import PROVIDER
from tests.entrypoints.serving import Serving

SIGNING_SECRET = signing_secret(b"a pepper for tests", key_id=KEY_ID, generation=1)


@pytest.fixture
def verifier() -> Iterator[Verifier]:
    with running_verifier(KEY_ID, SIGNING_SECRET) as verifier:
        yield verifier


@pytest.fixture(scope="session")
def _server() -> Iterator[Serving]:
    with Serving(FakeGateway()) as serving, Path(os.devnull).open("w") as nowhere:
        # What the gateway logs would be written among what a command line shows, which is of this process, too.
        handler = logger().registered_handler
        was = handler.setStream(nowhere) if isinstance(handler, logging.StreamHandler) else None
        yield serving
        if was is not None and isinstance(handler, logging.StreamHandler):
            handler.setStream(was)


@pytest.fixture
def serving(_server: Serving) -> Serving:
    """The gateway over real connections, with nothing in it yet."""
    _server.begin_anew()
    return _server


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> CommandLine:
    """The command line, which knows of no gateway yet."""
    return CommandLine(monkeypatch, capsys, tmp_path)


@pytest.fixture
def cli(command: CommandLine, serving: Serving) -> CommandLine:
    """The command line of an admin, whose gateway has a provider."""
    assert serving.call("POST", "/api/v1/llm/providers", PROVIDER)[0].status == 201
    command.environment |= {"GATEWAY_URL": f"http://127.0.0.1:{serving.port}", "GATEWAY_KEY": serving.key}
    return command
