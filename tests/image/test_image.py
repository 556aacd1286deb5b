"""The local model's image, as Docker and as Lambda run it: built for real, and asked one question."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws.summary import QUESTION
from tests.adapters.image import Image, NotHere, answer_of, built_image

# Lambda runs functions as a user that no image knows.
LAMBDAS_USER = 993
MOST_MB = 320


@pytest.fixture(scope="module")
def image(pytestconfig: pytest.Config) -> Iterator[Image]:
    if not pytestconfig.getoption("--image"):
        pytest.skip("it takes minutes to build; `make image-test` does")
    try:
        with built_image() as image:
            yield image
    except NotHere as reason:
        pytest.skip(f"THE IMAGE WAS NOT BUILT: {reason}")


def test_it_answers_as_docker_runs_it(image: Image, tmp_path: Path) -> None:
    with image.running(tmp_path, uid=int(image.config["User"]), read_only=False, environment={}) as address:
        assert "Photosynthesis is" in answer_of(address, QUESTION)


def test_it_answers_as_lambda_runs_it(image: Image, tmp_path: Path) -> None:
    """By a user that it does not know, in files that nobody can write, with a variable that Lambda sets."""
    variables = {"AWS_LAMBDA_FUNCTION_NAME": "local-model", "TZ": ":UTC"}
    with image.running(tmp_path, uid=LAMBDAS_USER, read_only=True, environment=variables) as address:
        assert "Photosynthesis is" in answer_of(address, QUESTION)


def test_it_says_how_it_is_to_be_run(image: Image) -> None:
    assert image.config["User"] not in ("", "0", "root")
    assert image.config["Cmd"] == ["python", "-m", "local_model"]
    assert list(image.config["ExposedPorts"]) == [f"{image.environment['PORT']}/tcp"]
    # The adapter asks there, where the server listens, and hands on what comes as it comes.
    assert image.environment["AWS_LWA_PORT"] == image.environment["PORT"]
    assert image.environment["AWS_LWA_READINESS_CHECK_PATH"] == "/health"
    assert image.environment["AWS_LWA_INVOKE_MODE"] == "response_stream"
    adapter = image.files / "opt" / "extensions" / "lambda-adapter"
    assert adapter.stat().st_mode & 0o111 == 0o111


def test_it_has_no_compiler_and_is_small(image: Image) -> None:
    assert [name for name in ("gcc", "cc", "cmake", "make") if list(image.files.glob(f"usr/**/bin/{name}"))] == []
    kilobytes = subprocess.check_output(["du", "-s", "--apparent-size", "-k", image.files / "opt"], text=True).split()[
        0
    ]
    assert int(kilobytes) / 1000 < MOST_MB


def test_what_it_is_built_on_came_from_its_registries(image: Image) -> None:
    if image.stood_in:
        pytest.skip(
            f"no registry is within reach; stand-ins made here took the place of {' and '.join(image.stood_in)}"
        )
    assert (image.files / "opt/extensions/lambda-adapter").read_bytes()[:4] == b"\x7fELF"
