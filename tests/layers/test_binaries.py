"""A compiled module without what debuggers read is smaller, and does what it did."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from layers.binaries import strip

# Has debuggers' sections; a wheel that has none is as it was.
MODULE = "regex._regex"


@pytest.fixture
def compiled() -> Path:
    found = find_spec(MODULE)
    if found is None or found.origin is None or not found.origin.endswith(".so"):
        pytest.skip(f"{MODULE} is not compiled here")
    return Path(found.origin)


@pytest.mark.skipif(sys.platform != "linux", reason="its modules are no ELF files")
def test_what_is_left_is_smaller_and_works(compiled: Path, tmp_path: Path) -> None:
    package = tmp_path / "regex"
    shutil.copytree(compiled.parent, package)
    copy = package / compiled.name
    strip(copy)
    assert copy.stat().st_size < compiled.stat().st_size * 0.8
    strip(copy)
    asked = "import regex; print(regex.__file__, regex.sub(r'(\\p{Lu})', r'<\\1>', 'aBc'))"
    answered = subprocess.run([sys.executable, "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert answered.stdout.split() == [str(package / "__init__.py"), "a<B>c"]


@pytest.mark.parametrize(
    "content",
    [b"", b"#!/bin/sh\n", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + bytes(100), b"\x7fELF\x01\x01" + bytes(100)],
)
def test_what_is_no_such_file_stays(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.so"
    file.write_bytes(content)
    strip(file)
    assert file.read_bytes() == content
