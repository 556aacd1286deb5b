"""What is built is kept, and never half built."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from layers.cache import cached, size_mb


def write(text):
    return lambda directory: (directory / "file").write_text(text)


def never(directory):
    raise AssertionError("built again")


def test_the_same_parts_are_built_once(tmp_path):
    first = cached("layer", [b"a", b"b"], write("x"), cache=tmp_path)
    assert cached("layer", [b"a", b"b"], never, cache=tmp_path) == first
    assert (first / "file").read_text() == "x"


def test_other_parts_are_another_layer(tmp_path):
    parts = [[b"a", b"b"], [b"ab"], [b"b", b"a"], []]
    assert len({cached("layer", part, write("x"), cache=tmp_path) for part in parts}) == len(parts)


def test_a_build_that_fails_leaves_nothing_and_is_tried_again(tmp_path):
    with pytest.raises(AssertionError):
        cached("layer", [b"a"], never, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert (cached("layer", [b"a"], write("x"), cache=tmp_path) / "file").exists()


def test_the_same_parts_are_the_same_bytes_at_any_time(tmp_path):
    times = {
        path.stat().st_mtime
        for cache in (tmp_path / "now", tmp_path / "later")
        for path in cached("layer", [b"a"], write("x"), cache=cache).rglob("*")
    }
    assert len(times) == 1


def test_two_builds_at_once_agree(tmp_path):
    both_started = Barrier(2)

    def slowly(directory):
        write("x")(directory)
        both_started.wait(timeout=10)

    with ThreadPoolExecutor() as pool:
        builds = [pool.submit(cached, "layer", [b"a"], slowly, cache=tmp_path) for _ in range(2)]
    assert builds[0].result() == builds[1].result()
    assert list(tmp_path.iterdir()) == [builds[0].result()]


def test_size_counts_files(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"x" * 500_000)
    assert size_mb(tmp_path) == 0.5
