"""What others wrote is wanted and not needed: where it cannot be had, that is said, and the rest goes on."""

import pytest

from workshop import clients
from workshop.steps import Failure, Steps


def test_what_cannot_be_had_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    def unready(_: Steps) -> None:
        raise Failure("npm is not within reach")

    clients.attempt(unready, Steps())
    said = capsys.readouterr().err
    assert "npm is not within reach" in said
    assert "The tests that need it are skipped." in said
