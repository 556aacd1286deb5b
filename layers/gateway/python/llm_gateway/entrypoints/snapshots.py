"""Lambda's SnapStart: what is loaded before the snapshot is taken, and what each copy of it makes anew."""

import os
import random
import ssl
import sys
from typing import Final

from llm_gateway.entrypoints.composition import gateway

_SEED_BYTES: Final = 48
_SIGNING: Final = "llm_gateway.providers.signature"


def register() -> None:
    """Have Lambda's runtime, which alone has these hooks, call `prepare` and `renew`."""
    from snapshot_restore_py import register_after_restore, register_before_snapshot

    register_before_snapshot(prepare)
    register_after_restore(renew)


def prepare() -> None:
    """Import and build what a first query waits for. Nothing outside is reached. Raises ValueError for an impossible setting."""
    # The vendors' own clients take longest, then what prices an answer, and what asks for a copy's credentials.
    import anthropic  # noqa: F401
    import botocore.session  # noqa: F401
    import genai_prices  # noqa: F401
    import openai  # noqa: F401

    from llm_gateway.wire.schema import build_schemas

    _ = gateway().authentication, gateway().asking
    build_schemas()


def renew() -> None:
    """Let go of all that must not be the same in two copies, or is as old as the snapshot: it may be weeks.

    The gateway goes with its connections, its credentials, and what it has read of keys, providers and secrets, whose age is
    counted by a clock that has stood still. Random numbers begin anew. Secrets and ids come from the kernel, and need not.
    """
    random.seed()
    # OpenSSL's own generator is in the snapshot, too.
    ssl.RAND_add(os.urandom(_SEED_BYTES), _SEED_BYTES)
    gateway.cache_clear()
    if _SIGNING in sys.modules:
        sys.modules[_SIGNING].session.cache_clear()
