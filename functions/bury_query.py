"""The dead letters' worker: tells that a query failed whose message was delivered too often."""

from llm_gateway.entrypoints.sqs import Delivery, Gateway, worker


@worker
def bury_query(delivery: Delivery, gateway: Gateway) -> None:
    """Fails one query with what it last failed for, or one run of a prompt's tests; has an erasure tried again."""
    gateway.worker_of(delivery).bury(delivery)


handler = bury_query
