"""Modules are compiled for the Python that will run them, or not at all."""

import importlib.util
import marshal
import subprocess
import sys
from pathlib import Path

from layers.bytecode import compile_tree, interpreter

THIS = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_modules_are_compiled_for_where_they_will_be_mounted(tmp_path, capfd):
    source = tmp_path / "python" / "module.py"
    source.parent.mkdir()
    source.write_text("answer = 42\n")
    compile_tree(tmp_path, python=THIS)
    compiled = Path(importlib.util.cache_from_source(str(source))).read_bytes()
    # Hash-based and unchecked: Python neither dates nor reads the source again.
    assert compiled[4:8] == (0b01).to_bytes(4, "little")
    assert marshal.loads(compiled[16:]).co_filename == "/opt/python/module.py"  # noqa: S302
    assert capfd.readouterr().err == ""


def test_where_that_python_is_missing_it_says_so(tmp_path, capfd):
    (tmp_path / "module.py").write_text("answer = 42\n")
    assert interpreter("3.99") is None
    compile_tree(tmp_path, python="3.99")
    assert [path.name for path in tmp_path.iterdir()] == ["module.py"]
    said = capfd.readouterr().err
    assert "no Python 3.99" in said
    assert "uv python install 3.99" in said


def test_bytecode_can_stand_in_the_place_of_its_source(tmp_path):
    for name in ("whole", "compiled"):
        (tmp_path / f"{name}.py").write_text("answer = 42\n")
    compile_tree(tmp_path, python=THIS, instead=lambda source: source.stem != "whole")
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {
        "compiled.pyc",
        "whole.py",
        f"__pycache__/whole.cpython-{THIS.replace('.', '')}.pyc",
    }
    run = [sys.executable, "-c", "import compiled, whole; print(compiled.answer, whole.answer)"]
    assert subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True).stdout == "42 42\n"
