"""The queues' worker: answers queries that were queued."""

from llm_gateway.entrypoints.sqs import Delivery, Gateway, worker


@worker
def process_query(delivery: Delivery, gateway: Gateway) -> None:
    """Answers one query, unless somebody has or does; or goes on with a run of a prompt's tests."""
    (gateway.run_worker if delivery.is_of_a_run else gateway.worker).process(delivery)


handler = process_query
