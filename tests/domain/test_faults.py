"""What a timeout says of the limit that struck."""

import pytest
from llm_gateway.domain.faults import ProviderTimeout
from llm_gateway.domain.providers import Timeouts


@pytest.mark.parametrize(
    ("struck", "configured", "limit", "words"),
    [
        (("total_s", 9.0), Timeouts(total_s=9), "total_s", "within 9 s (total_s)"),
        (("total_s", 3.25), Timeouts(total_s=9), "timeout_s", "within 3.25 s (what timeout_s left for it)"),
        (("total_s", 18.75), Timeouts(), "timeout_s", "within 18.75 s (what timeout_s left for it)"),
        (("first_token_s", 2.0), Timeouts(first_token_s=2, total_s=9), "first_token_s", "within 2 s (first_token_s)"),
    ],
)
def test_a_limit_that_the_query_set_is_told_as_the_querys(struck, configured: Timeouts, limit: str, words: str) -> None:
    fault = ProviderTimeout("in time")
    fault.struck_by(*struck)

    fault.hold_against(configured)

    assert (fault.limit, fault.limit_s) == (limit, struck[1])
    assert fault.detail == f"The provider did not answer {words}."


def test_one_without_a_limit_stays_as_it_is() -> None:
    fault = ProviderTimeout("in time")
    fault.hold_against(Timeouts())
    assert (fault.detail, fault.limit) == ("in time", None)
