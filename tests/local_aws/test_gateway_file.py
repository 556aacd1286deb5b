"""The file with the key is its owner's, whole, and gone with the gateway."""

import json
import os
from pathlib import Path

from local_aws import gateway_file


def test_only_its_owner_reads_it_while_the_gateway_runs(tmp_path: Path) -> None:
    path = tmp_path / ".local" / "gateway.json"
    old_umask = os.umask(0)
    try:
        with gateway_file.written(
            path, base_url="http://127.0.0.1:8080", api_key="secret", aws_endpoint_url="http://a"
        ):
            assert path.stat().st_mode & 0o777 == 0o600
            assert json.loads(path.read_text()) == {
                "base_url": "http://127.0.0.1:8080",
                "api_key": "secret",
                "aws_endpoint_url": "http://a",
            }
            assert list(path.parent.iterdir()) == [path]
    finally:
        os.umask(old_umask)
    assert not path.exists()


def test_leaves_the_file_of_a_later_run(tmp_path: Path) -> None:
    path = tmp_path / "gateway.json"
    with gateway_file.written(path, base_url="first", api_key="k", aws_endpoint_url="a"):
        path.write_text("later")
    assert path.read_text() == "later"
