"""Every minute: enter in the audit log what was denied in the minutes that are over."""

from llm_gateway.entrypoints.schedules import Gateway, schedule


@schedule
def append_denials(gateway: Gateway) -> None:
    """One entry for each kind and actor of a minute, with its count."""
    gateway.denials.append()


handler = append_denials
