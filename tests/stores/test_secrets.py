"""What the stores of secrets promise, and that they keep them to themselves."""

import logging
from uuid import uuid4

import pytest
from llm_gateway.domain.providers import ProviderCredentials
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.stores.secrets import SecretsManagerCredentialStore

from tests.adapters.aws import connect, deploy
from tests.adapters.clock import FakeClock
from tests.adapters.faulty_aws import BROKEN, FaultyAws
from tests.adapters.ids import FakeIds
from tests.stores.conftest import Stores, stores_on_aws

FIRST = ProviderCredentials(api_key="sk-first-0123456789abcdef")
SECOND = ProviderCredentials(api_key="sk-second-0123456789abcdef")


def test_credentials_come_back_as_they_were(stores: Stores) -> None:
    stores.credentials.put("openai", FIRST)
    assert stores.credentials.get("openai") == FIRST
    assert stores.credentials.get("anthropic") is None


def test_new_credentials_take_the_old_ones_place_at_once(stores: Stores) -> None:
    stores.credentials.put("openai", FIRST)
    assert stores.credentials.get("openai") == FIRST
    stores.credentials.put("openai", SECOND)
    assert stores.credentials.get("openai") == SECOND


def test_deleted_credentials_are_gone_at_once_and_may_be_put_again(stores: Stores) -> None:
    stores.credentials.put("openai", FIRST)
    assert stores.credentials.get("openai") == FIRST
    stores.credentials.delete("openai")
    stores.credentials.delete("openai")
    assert stores.credentials.get("openai") is None
    stores.credentials.put("openai", SECOND)
    assert stores.credentials.get("openai") == SECOND


def test_the_pepper_does_not_change(stores: Stores) -> None:
    assert stores.pepper.value() == b"a pepper for tests"
    assert stores.pepper.value() == stores.pepper.value()


def test_credentials_are_at_most_a_minute_old_unless_fresh(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    here = stores_on_aws(aws, settings, clock, ids).credentials
    elsewhere = stores_on_aws(aws, settings, clock, ids).credentials
    here.put("openai", FIRST)
    assert here.get("openai") == FIRST
    elsewhere.put("openai", SECOND)
    clock.advance(59.9)
    assert here.get("openai") == FIRST
    clock.advance(0.1)
    assert here.get("openai") == SECOND
    elsewhere.put("openai", FIRST)
    assert here.get("openai", fresh=True) == FIRST
    assert here.get("openai") == FIRST
    elsewhere.delete("openai")
    assert here.get("openai", fresh=True) is None
    assert here.get("openai") is None


def test_credentials_put_elsewhere_are_found_at_once(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    here = stores_on_aws(aws, settings, clock, ids).credentials
    assert here.get("openai") is None
    stores_on_aws(aws, settings, clock, ids).credentials.put("openai", FIRST)
    assert here.get("openai") == FIRST


def test_what_nobody_renews_is_forgotten(emulator: str) -> None:
    """What is still held shows while AWS does not answer: it serves on then."""
    clock = FakeClock()
    settings = deploy(connect(emulator), name=f"test-{uuid4().hex[:12]}")
    with FaultyAws(emulator) as faulty:
        store = SecretsManagerCredentialStore(
            aws=connect(faulty.url), prefix=settings.credentials_prefix, kms_key_id=None, clock=clock, most_kept=3
        )

        def held() -> list[str]:
            with faulty.failing("secretsmanager/*/*", BROKEN):
                return [name for name in "abcde" if _is_held(store, name)]

        for name in "abcde":
            store.put(name, FIRST)
        for name in "abcd":
            assert store.get(name) == FIRST
        clock.advance(61)
        assert held() == ["b", "c", "d"]
        clock.advance(480)
        assert store.get("b") == FIRST
        assert held() == ["b", "c", "d"]
        clock.advance(60)
        assert store.get("b") == FIRST
        assert held() == ["b"]
        store.delete("b")
        assert held() == []


def _is_held(store: SecretsManagerCredentialStore, name: str) -> bool:
    try:
        return store.get(name) is not None
    except DependencyUnavailable:
        return False


def test_two_first_writers_leave_one_secret(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    """The second finds no secret, then cannot make it because the first just did, and changes it instead."""
    here = stores_on_aws(aws, settings, clock, ids).credentials
    elsewhere = stores_on_aws(aws, settings, clock, ids).credentials

    def be_first(**_: object) -> None:
        aws.secrets_manager.meta.events.unregister("before-call.secretsmanager.CreateSecret", be_first)
        elsewhere.put("openai", FIRST)

    aws.secrets_manager.meta.events.register("before-call.secretsmanager.CreateSecret", be_first)
    here.put("openai", SECOND)
    assert here.get("openai", fresh=True) == SECOND


def test_credentials_are_encrypted_under_the_stacks_key(aws, settings, clock: FakeClock) -> None:
    store = SecretsManagerCredentialStore(
        aws=aws, prefix=settings.credentials_prefix, kms_key_id="alias/gateway", clock=clock
    )
    store.put("openai", FIRST)
    name = f"{settings.credentials_prefix}openai"
    assert aws.secrets_manager.describe_secret(SecretId=name)["KmsKeyId"] == "alias/gateway"


def test_secrets_show_in_no_log_and_no_repr(
    aws, settings, clock: FakeClock, ids: FakeIds, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stores = stores_on_aws(aws, settings, clock, ids)
    stores.credentials.put("openai", FIRST)
    stores.credentials.get("openai")
    stores.pepper.value()
    shown = caplog.text + repr(FIRST) + repr(stores) + repr(vars(stores.credentials))
    assert FIRST.api_key not in shown
    assert "a pepper for tests" not in shown


def test_a_secret_that_cannot_be_read_is_not_quoted(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    name = f"{settings.credentials_prefix}openai"
    aws.secrets_manager.create_secret(Name=name, SecretString='{"key": "sk-by-hand"}')
    with pytest.raises(ValueError, match="ProviderCredentials") as caught:
        stores_on_aws(aws, settings, clock, ids).credentials.get("openai")
    assert "sk-by-hand" not in f"{caught.value} {caught.value.__cause__}"
