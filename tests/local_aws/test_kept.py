"""What is kept between runs is its owner's, and one run's at a time."""

from pathlib import Path

import boto3
import pytest

from local_aws import emulator
from local_aws.aws import LocalAws
from local_aws.kept import kept_in
from local_aws.processes import Processes


def secrets(aws: LocalAws) -> object:
    session = boto3.Session(region_name=aws.region, aws_access_key_id="test", aws_secret_access_key="test")
    return session.client("secretsmanager", endpoint_url=aws.url)


def test_what_one_emulator_held_the_next_one_holds(tmp_path: Path) -> None:
    for names in ([], ["pepper"]):
        with kept_in(tmp_path / "state", fresh=False) as kept, Processes(logs=tmp_path / "logs") as processes:
            assert kept is not None
            assert kept.is_there == bool(names)
            aws, process = emulator.start(processes, scratch=tmp_path, kept=kept)
            emulator.wait_for(aws, process)
            client: object = secrets(aws)
            assert [each["Name"] for each in client.list_secrets()["SecretList"]] == names  # type: ignore[attr-defined]
            if not names:
                client.create_secret(Name="pepper", SecretString="x")  # type: ignore[attr-defined]
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_key_is_kept_with_what_it_belongs_to(tmp_path: Path) -> None:
    with kept_in(tmp_path, fresh=False) as kept:
        assert kept is not None
        kept.keep_key("llmgw_abc")
        assert kept.key() is None, "it is a key of nothing"
        kept.services.mkdir()
        kept.objects.mkdir()
        assert kept.key() == "llmgw_abc"
        assert (tmp_path / "admin-key").stat().st_mode & 0o777 == 0o600
    with kept_in(tmp_path, fresh=True) as forgotten:
        assert forgotten is not None
        assert (forgotten.is_there, forgotten.key()) == (False, None)


def test_two_runs_do_not_share_it(tmp_path: Path) -> None:
    with kept_in(tmp_path, fresh=False) as first, kept_in(tmp_path, fresh=True) as second:
        assert first is not None
        assert second is None
    with kept_in(tmp_path, fresh=False) as third:
        assert third is not None


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_others_do_not_see_into_it(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=mode)
    with kept_in(folder, fresh=False):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_what_cannot_be_forgotten_is_told(tmp_path: Path) -> None:
    (tmp_path / "services").write_text("no folder")
    with pytest.raises(NotADirectoryError), kept_in(tmp_path, fresh=True):
        pass
