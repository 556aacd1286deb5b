"""Every minute: take the weight of versions that do certainly worse than their label's gate allows."""

from llm_gateway.entrypoints.schedules import Gateway, schedule


@schedule
def judge_canaries(gateway: Gateway) -> None:
    """Judges the labels with weights and a gate."""
    gateway.canaries.judge()


handler = judge_canaries
