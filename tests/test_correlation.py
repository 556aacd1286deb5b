"""What log lines are told apart by."""

import pytest
from llm_gateway.correlation import CURRENT, Correlation, traceparent_in

REQUEST = "req_01M8NBTCARFDA6Y0WVMH14GQ76"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SENT = f"00-{TRACE}-b7ad6b7169203331-01"


def test_nothing_is_told_of_what_belongs_to_nobody() -> None:
    assert CURRENT.get().told() == {}
    assert Correlation().carried is None


def test_a_request_is_a_part_of_the_trace_that_its_caller_names() -> None:
    current = Correlation(request_id=REQUEST, query_id="qry_1", traceparent=SENT)
    assert current.told() == {"request_id": REQUEST, "query_id": "qry_1", "trace_id": TRACE}
    assert current.carried == SENT


def test_a_request_without_one_is_a_trace_of_its_own() -> None:
    current = Correlation(request_id=REQUEST)
    assert current.carried is not None
    # W3C's own form, said not to be recorded anywhere.
    assert traceparent_in(current.carried) == current.carried
    assert current.carried.endswith("-00")
    assert current.trace_id == current.carried[3:35] == Correlation(request_id=REQUEST).trace_id
    assert Correlation(request_id=REQUEST[:-1] + "7").trace_id != current.trace_id


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (SENT, SENT),
        (f" {SENT} ", SENT),
        # A later version may have more to say; the part that is ours is read.
        (f"cc-{TRACE}-b7ad6b7169203331-01-what-comes", SENT),
        (f"00-{TRACE}-b7ad6b7169203331-01-more", None),
        (f"ff-{TRACE}-b7ad6b7169203331-01", None),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (SENT.upper(), None),
        ("", None),
        ("x" * 100_000, None),
    ],
)
def test_a_header_that_cannot_be_read_is_none(text: str, read: str | None) -> None:
    assert traceparent_in(text) == read
