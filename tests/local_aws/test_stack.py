"""A stack without assets is created, updated when it changed, and read for what it gives out; on a real emulator."""

from collections.abc import Iterator
from typing import Any

import pytest

from local_aws import emulator, stack
from local_aws.aws import LocalAws
from local_aws.processes import Processes
from workshop.steps import Failure


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    folder = tmp_path_factory.mktemp("emulator")
    with Processes(logs=folder / "logs") as processes:
        aws, process = emulator.start(processes, scratch=folder)
        emulator.wait_for(aws, process)
        yield aws


def template(**queues: int) -> dict[str, Any]:
    return {
        "Parameters": {"BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/none"}},
        "Rules": {"CheckBootstrapVersion": {"Assertions": []}},
        "Resources": {
            name: {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": timeout}}
            for name, timeout in queues.items()
        },
        "Outputs": {f"{name}Url": {"Value": {"Ref": name}} for name in queues},
    }


def test_creates_updates_and_leaves_alone(aws: LocalAws) -> None:
    first = stack.deploy(aws, "queues", template(Normal=30))
    assert first["NormalUrl"].startswith("http")

    assert stack.deploy(aws, "queues", template(Normal=30)) == first

    second = stack.deploy(aws, "queues", template(Normal=30, High=60))
    assert second["NormalUrl"] == first["NormalUrl"]
    assert set(second) == {"NormalUrl", "HighUrl"}


def test_a_stack_that_failed_says_why_and_can_be_mended(aws: LocalAws) -> None:
    with pytest.raises(Failure, match=r"ROLLBACK_COMPLETE(?s:.*)Normal: .*VisibilityTimeout"):
        stack.deploy(aws, "mended", template(Normal=-5))
    assert stack.deploy(aws, "mended", template(Normal=5)).keys() == {"NormalUrl"}


def test_a_template_that_is_refused_says_why(aws: LocalAws) -> None:
    with pytest.raises(Failure, match=r"AWS::Nothing::Here"):
        stack.deploy(aws, "refused", {"Resources": {"Thing": {"Type": "AWS::Nothing::Here"}}})


def test_outputs_become_a_functions_variables() -> None:
    outputs = {"KeysTable": "k", "HighQueueUrl": "h", "KmsKeyId": "1", "CredentialsPrefix": "p/"}
    assert stack.as_variables(outputs) == {
        "KEYS_TABLE": "k",
        "HIGH_QUEUE_URL": "h",
        "KMS_KEY_ID": "1",
        "CREDENTIALS_PREFIX": "p/",
    }


def test_an_emulator_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(Failure, match="unset AWS_ENDPOINT_URL"):
        emulator.require(LocalAws(url="http://127.0.0.1:9"))
