"""What tests of several pages need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws.aws import LocalAws
from tests.adapters.ministack import running_ministack


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[LocalAws]:
    """An emulator of the test's own."""
    with running_ministack(tmp_path) as url:
        yield LocalAws(url=url)
