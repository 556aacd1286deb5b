"""A server that verifies what the clients sign."""

from collections.abc import Iterator

import pytest
from llm_gateway.domain.signatures import signing_secret

from tests.adapters.signing import KEY_ID
from tests.adapters.verifying_server import Verifier, running_verifier

SIGNING_SECRET = signing_secret(b"a pepper for tests", key_id=KEY_ID, generation=1)


@pytest.fixture
def verifier() -> Iterator[Verifier]:
    with running_verifier(KEY_ID, SIGNING_SECRET) as verifier:
        yield verifier
