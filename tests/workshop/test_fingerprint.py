"""A fingerprint changes exactly when what it describes changes."""

from pathlib import Path

from workshop import fingerprint


def test_tells_contents_and_names_apart(tmp_path: Path) -> None:
    folder = tmp_path / "infra"
    folder.mkdir()
    (folder / "a.py").write_text("one")
    before = fingerprint.fingerprint(folder, "dev")

    (folder / "a.py").write_text("two")
    other_content = fingerprint.fingerprint(folder, "dev")
    (folder / "a.py").rename(folder / "b.py")
    other_name = fingerprint.fingerprint(folder, "dev")
    other_text = fingerprint.fingerprint(folder, "prod")

    assert len({before, other_content, other_name, other_text}) == 4


def test_is_blind_to_what_python_compiles(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one")
    before = fingerprint.fingerprint(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_bytes(b"compiled")
    assert fingerprint.fingerprint(tmp_path) == before


def test_a_missing_file_is_not_an_empty_one(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    missing = fingerprint.fingerprint(lock)
    lock.touch()
    assert fingerprint.fingerprint(lock) != missing


def test_content_does_not_run_into_its_neighbour() -> None:
    assert fingerprint.fingerprint("ab", "c") != fingerprint.fingerprint("a", "bc")


def test_a_stamp_is_current_for_what_it_was_written_for_alone(tmp_path: Path) -> None:
    stamp = tmp_path / "stamps" / "python"
    assert not fingerprint.is_current(stamp, "one")
    fingerprint.write(stamp, "one")
    assert fingerprint.is_current(stamp, "one")
    assert not fingerprint.is_current(stamp, "two")
