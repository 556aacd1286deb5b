"""A server that verifies what the clients sign."""

from collections.abc import Iterator

import pytest
from llm_gateway.domain.signatures import signing_secret

from tests.adapters.gateway import FakeGateway
from tests.adapters.signing import KEY_ID
from tests.adapters.verifying_server import Verifier, running_verifier
from tests.entrypoints.serving import Serving

SIGNING_SECRET = signing_secret(b"a pepper for tests", key_id=KEY_ID, generation=1)


@pytest.fixture
def verifier() -> Iterator[Verifier]:
    with running_verifier(KEY_ID, SIGNING_SECRET) as verifier:
        yield verifier


@pytest.fixture(scope="session")
def _server() -> Iterator[Serving]:
    with Serving(FakeGateway()) as serving:
        yield serving


@pytest.fixture
def serving(_server: Serving) -> Serving:
    """The gateway over real connections, with nothing in it yet."""
    _server.begin_anew()
    return _server
