"""Runs `llm-gateway`: in this process for speed, and in one of its own under a pseudo-terminal."""

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import llm_gateway_client
import pytest
from llm_gateway_client.cli.__main__ import run

PACKAGE = Path(llm_gateway_client.__file__).parents[1]
COMMAND = [sys.executable, "-m", "llm_gateway_client.cli"]
PATIENCE_S = 60


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str


@dataclass
class CommandLine:
    """`folder` is where it works; `environment` what it is told there, and nothing of this process's own."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str | Path, stdin: str = "") -> Ended:
        with self.monkeypatch.context() as patch:
            patch.chdir(self.folder)
            for name in ("GATEWAY_URL", "GATEWAY_KEY", "XDG_CONFIG_HOME"):
                patch.delenv(name, raising=False)
            for name, value in self.variables.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            self.capsys.readouterr()
            with pytest.raises(SystemExit) as end:
                run([str(argument) for argument in arguments])
        out, err = self.capsys.readouterr()
        # The gateway runs in this process and logs to the same place.
        return Ended(status=int(end.value.code or 0), out=_without_log(out), err=_without_log(err))

    @property
    def variables(self) -> dict[str, str]:
        measured = {name: value for name, value in os.environ.items() if name.startswith("COV")}
        return {"HOME": str(self.folder), "NO_PROXY": "*", **measured, **self.environment}

    def terminal(self, *arguments: str, **variables: str) -> "PseudoTerminal":
        env = {"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "120", "LINES": "40", "PYTHONPATH": str(PACKAGE)}
        return PseudoTerminal(arguments, self.folder, env | self.variables | variables)


class PseudoTerminal:
    """A person's terminal with one command in it."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, environment: dict[str, str]) -> None:
        self._mine, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def __enter__(self) -> "PseudoTerminal":
        return self

    def __exit__(self, *_: Any) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._mine)

    def read_until(self, text: str) -> None:
        until_s = time.monotonic() + PATIENCE_S
        while text not in self.shown:
            assert time.monotonic() < until_s, self.shown
            if not self._read():
                raise AssertionError(f"{text!r} is not in {self.shown!r}")

    def type(self, text: str) -> None:
        os.write(self._mine, text.encode())

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def type_hidden(self, text: str) -> None:
        """Once nothing that is typed is shown any more: what was typed before is thrown away then."""
        until_s = time.monotonic() + PATIENCE_S
        while termios.tcgetattr(self._mine)[3] & termios.ECHO:
            assert time.monotonic() < until_s, self.shown
            time.sleep(0.01)
        self.type(text)

    def end(self) -> int:
        until_s = time.monotonic() + PATIENCE_S
        while self._read():
            assert time.monotonic() < until_s, self.shown
        return self.process.wait(PATIENCE_S)

    def _read(self) -> bool:
        """Whether there may be more to read."""
        if not select.select([self._mine], [], [], 0.2)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self._mine, 65_536)
        except OSError:  # How Linux tells that nobody has the other end any more.
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)


def _without_log(text: str) -> str:
    return re.sub(r'\{"level":[^\n]*\n', "", text)
