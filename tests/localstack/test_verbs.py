"""`make run` as a user types it, on a LocalStack that AWS_ENDPOINT_URL names; test_deployed.py deploys by `make deploy-local`."""

from pathlib import Path

from tests.adapters.verbs import make


def test_make_run_answers_a_question_with_the_given_localstack(on_localstack: str, tmp_path: Path) -> None:
    printed = make("run", endpoint=on_localstack, arguments=f"--exit-when-ready --folder {tmp_path}")
    assert "Photosynthesis is" in printed
    assert f"AWS       {on_localstack}" in printed
    # No emulator of its own was started.
    assert not (tmp_path / "logs" / "emulator.log").exists()
