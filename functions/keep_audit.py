"""Every hour: anchor the audit log's end, and export the days that are over."""

from llm_gateway.entrypoints.schedules import Gateway, schedule


@schedule
def keep_audit(gateway: Gateway) -> None:
    """Puts copies where the log's writers have no right."""
    gateway.audit_keeper.keep()


handler = keep_audit
