"""What a provider store promises beyond what every collection does: all providers at once, and how old they may be."""

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.stores.conftest import Stores, stores_on_aws
from tests.stores.values import provider


def test_a_change_elsewhere_shows_within_five_seconds(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    here = stores_on_aws(aws, settings, clock, ids).providers
    elsewhere = stores_on_aws(aws, settings, clock, ids).providers
    assert here.all() == ()
    elsewhere.add(provider())
    clock.advance(4.999)
    assert here.all() == ()
    assert here.get("openai") == provider()
    clock.advance(0.001)
    assert here.all() == (provider(),)


def test_a_change_elsewhere_shows_at_once_to_who_asks_anew(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    here = stores_on_aws(aws, settings, clock, ids).providers
    assert here.all() == ()
    stores_on_aws(aws, settings, clock, ids).providers.add(provider())
    assert here.all(fresh=True) == (provider(),)
    assert here.all() == (provider(),)


def test_a_change_here_shows_at_once(stores: Stores) -> None:
    assert stores.providers.all() == ()
    stores.providers.add(provider())
    assert stores.providers.all() == (provider(),)
    stores.providers.replace(provider(revision=2), expected_revision=1)
    assert stores.providers.all() == (provider(revision=2),)
    stores.providers.delete("openai", expected_revision=2)
    assert stores.providers.all() == ()
