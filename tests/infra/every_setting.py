"""cfn-lint over deployments of other settings than the usual, for `make check`: in `make test` other tests synthesize them."""

import pytest

from tests.infra.deployments import BEDROCK, HEAVIEST, OWN_MODELS, UNUSUAL, deployed


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(UNUSUAL, id="unusual"),
        pytest.param(HEAVIEST, id="heaviest"),
        pytest.param(BEDROCK, id="bedrock"),
        pytest.param(OWN_MODELS, id="own models"),
    ],
)
def test_it_passes(settings):
    assert deployed(**settings).templates
