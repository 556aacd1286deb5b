"""Lambda processes of the emulator share the files of a layer, and have their own function's to themselves."""

import tempfile
import time
import zipfile
from pathlib import Path

import pytest

from local_aws.emulator_process import START_S, open_archive


@pytest.fixture(autouse=True)
def _shared_files_go_with_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def extracted(archive: Path, into: Path, files: dict[str, str]) -> Path:
    """What ministack does with an archive that has these files."""
    into.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as written:
        for name, text in files.items():
            written.writestr(name, text)
    with open_archive(str(archive)) as opened:
        assert opened.namelist()
        opened.extractall(str(into))
    return into


def test_a_layer_that_was_unzipped_is_not_unzipped_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"python/package/module.py": "answer = 42", "bin/tool": ""}
    first = extracted(tmp_path / "layer_0.zip", tmp_path / "first", files)
    with monkeypatch.context() as patch:
        patch.delattr(zipfile.ZipFile, "extractall")
        second = extracted(tmp_path / "layer_1.zip", tmp_path / "second", files)
    for directory in (first, second):
        assert {name: (directory / name).read_text() for name in files} == files


def test_another_layer_is_another(tmp_path: Path) -> None:
    for number in range(2):
        directory = extracted(tmp_path / "layer_0.zip", tmp_path / str(number), {"python/module.py": str(number)})
        assert (directory / "python/module.py").read_text() == str(number)


def test_a_functions_own_files_are_its_own(tmp_path: Path) -> None:
    for name in ("one", "other"):
        directory = extracted(tmp_path / "code.zip", tmp_path / name / "code", {"handler.py": "one"})
        assert not (directory / "handler.py").is_symlink()


def test_processes_start_one_after_the_other(tmp_path: Path) -> None:
    began = time.monotonic()
    for number in range(3):
        extracted(tmp_path / "code.zip", tmp_path / str(number), {"handler.py": "one"})
    assert time.monotonic() - began >= 2 * START_S
