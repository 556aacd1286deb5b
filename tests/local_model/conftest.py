"""The real server with the real model, started once for all tests that ask it something."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.local_model import local_model_server, missing_for_local_model


@pytest.fixture(scope="session")
def real_model() -> None:
    if reason := missing_for_local_model():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def base_url(real_model: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    cache: Path = tmp_path_factory.mktemp("local-model")
    with local_model_server({"MODEL_CACHE_DIR": str(cache), "N_CTX": "1024", "MAX_QUEUE": "2"}) as address:
        yield address
