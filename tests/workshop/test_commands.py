"""An installer is quiet unless it fails, and then says why."""

import sys

import pytest

from workshop import commands
from workshop.steps import Failure


def test_a_failure_shows_the_end_of_the_output_and_what_to_do(capfd: pytest.CaptureFixture[str]) -> None:
    script = "import sys; print('\\n'.join(f'line {n}' for n in range(100))); sys.exit('broken')"
    with pytest.raises(Failure) as raised:
        commands.run([sys.executable, "-c", script], advice="Mend it.")
    text = str(raised.value)
    assert "line 99" in text
    assert "broken" in text
    assert "line 10\n" not in text
    assert text.endswith("Mend it.")
    assert capfd.readouterr() == ("", "")


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(Failure, match="no-such-installer is not there"):
        commands.run(["no-such-installer"], advice="Install it.")
