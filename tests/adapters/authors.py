"""Somebody who changes things in tests."""

from typing import Final

from llm_gateway.domain.audit.entries import Actor, Author

BY: Final = Author(
    actor=Actor(key_id="key_1", role="admin", address="10.0.0.1"), action="something.changed", request_id="req_1"
)
