"""Every five minutes: sum up the hours and days that are over."""

from llm_gateway.entrypoints.schedules import Gateway, schedule


@schedule
def roll_up_usage(gateway: Gateway) -> None:
    """Makes sums of queries, so that usage need not be read query by query."""
    gateway.usage_roller.roll()


handler = roll_up_usage
