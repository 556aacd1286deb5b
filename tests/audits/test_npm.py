"""npm's own client, against a registry on loopback that tells of an advisory, or of none."""

import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from audits import npm
from audits.__main__ import NODE
from tests.adapters.loopback_server import LoopbackServer

ADVISORY = {
    "id": 1,
    "url": "https://github.com/advisories/GHSA-1",
    "title": "It does",
    "severity": "high",
    "vulnerable_versions": "*",
}


class Registry(BaseHTTPRequestHandler):
    """One of npm's that knows one advisory, or that hands out packages alone."""

    tells = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._say(200 if self.tells else 405, {"one": [ADVISORY]})

    def do_GET(self) -> None:
        version = {
            "name": "one",
            "version": "1.0.0",
            "dist": {"tarball": "http://127.0.0.1/one.tgz", "shasum": "0" * 40},
        }
        self._say(200, {"name": "one", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}})

    def _say(self, status: int, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """A test's output is its own."""


@pytest.mark.parametrize("tells", [True, False])
def test_npms_registry_is_asked_and_one_that_does_not_tell_has_not_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tells: bool
) -> None:
    described = {"name": "tried", "version": "1.0.0", "dependencies": {"one": "1.0.0"}}
    lock = {"lockfileVersion": 3, "packages": {"": described, "node_modules/one": {"version": "1.0.0"}}}
    for name in npm.LOCKS:
        folder = (tmp_path / name).parent
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps(described))
        (folder / "package-lock.json").write_text(json.dumps(described | lock))
    server = LoopbackServer(type("Registry", (Registry,), {"tells": tells}))
    server.start()
    monkeypatch.setenv("npm_config_registry", f"http://{server.address}/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_update_notifier", "false")
    try:
        result = npm.vulnerabilities(tmp_path, NODE)
    finally:
        server.stop()
    found = [(each.rule, each.place) for each in result.findings]
    assert (found, result.skipped is None) == ([("GHSA-1", "one")] * 2 if tells else [], tells)
    assert result.looked_at == "2 locks of npm's, 1 packages"
