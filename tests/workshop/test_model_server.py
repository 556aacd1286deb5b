"""The build of llama.cpp takes its source from the lock and knows how far it is."""

from pathlib import Path

import pytest

from workshop.model_server import built_fraction, locked

LOCK = """\
jinja2==3.1.6 \\
    --hash=sha256:aa
    # via llama-cpp-python
llama-cpp-python==0.3.36 \\
    --hash=sha256:bb
    # via llm-gateway:local-model
markupsafe==3.0.4 \\
    --hash=sha256:cc
"""


def test_takes_one_package_out_of_a_lock(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(LOCK)
    assert locked("llama-cpp-python", lock).splitlines()[:2] == ["llama-cpp-python==0.3.36 \\", "    --hash=sha256:bb"]
    assert "markupsafe" not in locked("llama-cpp-python", lock)
    with pytest.raises(ValueError, match="does not pin numpy"):
        locked("numpy", lock)


def test_counts_the_objects_that_ninja_has_built(tmp_path: Path) -> None:
    assert built_fraction(tmp_path) is None
    build = tmp_path / "tmp1" / "build"
    build.mkdir(parents=True)
    (build / "build.ninja").write_text("build a.o: CXX a.cpp\nbuild b.o: C b.c\nbuild lib.so: LINK a.o b.o\n")
    (build / ".ninja_log").write_text("# ninja log v7\n1\t2\t3\ta.o\thash\n")
    assert built_fraction(tmp_path) == 0.5
