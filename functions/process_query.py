"""The queues' worker: answers queries that were queued."""

from llm_gateway.entrypoints.sqs import Delivery, Gateway, worker


@worker
def process_query(delivery: Delivery, gateway: Gateway) -> None:
    """Answers one query, unless somebody has or does; or goes on with a run of a prompt's tests or an erasure."""
    gateway.worker_of(delivery).process(delivery)


handler = process_query
