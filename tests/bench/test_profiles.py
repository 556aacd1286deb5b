"""Samples are added up by area and by function; how they are taken is py-spy's."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bench.profiles import recorder
from bench.profiles.stacks import STANDARD, Frame, profile_of
from workshop.places import ROOT
from workshop.steps import Failure

SERVE = "serve (llm_gateway/entrypoints/server.py:35)"
SAMPLES = f"""\
<module> (functions/__main__.py:70);{SERVE};run (asyncio/runners.py:118);ask (llm_gateway/services/queries/asking.py:9) 6
<module> (functions/__main__.py:70);{SERVE};run (asyncio/runners.py:118) 3
thread (0x7F): worker;ask (llm_gateway/services/queries/asking.py:12);get (<frozen _collections_abc>:807) 1
not a sample
"""


def test_an_area_has_what_it_did_itself_and_what_it_called() -> None:
    profile = profile_of(SAMPLES.splitlines())
    assert profile.samples == 10
    assert profile.areas == {"llm_gateway.services": 6, STANDARD: 4}
    assert profile.areas_with_called["llm_gateway.entrypoints"] == 9
    assert profile.areas_with_called["functions"] == 9
    assert profile.share(profile.areas[STANDARD]) == 0.4


def test_a_function_counts_once_in_a_sample_whatever_its_line() -> None:
    profile = profile_of(SAMPLES.splitlines())
    asking = Frame(function="ask", file="llm_gateway/services/queries/asking.py")
    assert profile.functions[asking] == 6
    assert profile.functions_with_called[asking] == 7


@pytest.mark.parametrize(
    ("file", "area"),
    [
        ("llm_gateway/stores/items.py", "llm_gateway.stores"),
        ("llm_gateway/settings.py", "llm_gateway.settings"),
        ("functions/run_query.py", "functions"),
        ("threading.py", STANDARD),
        ("<frozen importlib._bootstrap>", STANDARD),
        ("botocore/client.py", "botocore"),
        ("/opt/python/botocore/client.py", "botocore"),
        ("/usr/lib/python3.13/json/decoder.py", STANDARD),
        ("/home/me/.venv/lib/python3.13/site-packages/openai/_client.py", "openai"),
        (f"{ROOT}/layers/gateway/python/llm_gateway/wire/keys.py", "llm_gateway.wire"),
        (f"{ROOT}/functions/run_query.py", "functions"),
    ],
)
def test_a_file_belongs_to_a_package(file: str, area: str) -> None:
    assert profile_of([f"f ({file}:1) 1"]).areas == {area: 1}


def test_where_nobody_may_look_it_says_what_to_do(tmp_path: Path) -> None:
    refusing = tmp_path / "py-spy"
    refusing.write_text(
        "#!/bin/sh\necho 'Permission Denied: Try running again with elevated permissions' >&2\nexit 1\n"
    )
    refusing.chmod(refusing.stat().st_mode | stat.S_IEXEC)
    with pytest.raises(Failure, match=r"kernel\.yama\.ptrace_scope=0"):
        recorder.record("nobody", os.getpid(), lambda: None, seconds=1, by=refusing, into=tmp_path / "profile")


def test_what_a_query_takes_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.profiles", "query"],
        env={**os.environ, "PYTHONPATH": "layers/gateway/python"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "calls of" in done.stdout
    assert "kB at most" in done.stdout


def test_a_subject_that_is_not_there_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.profiles", "functoin"],
        env={**os.environ, "PYTHONPATH": "layers/gateway/python"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "no such subject: functoin" in done.stderr
