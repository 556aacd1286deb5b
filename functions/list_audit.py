"""GET /api/v1/llm/audit: read the audit log."""

from llm_gateway.entrypoints.audit_search import AuditSearch
from llm_gateway.entrypoints.aws import Cursor, Gateway, Limit, endpoint, lambda_handler
from llm_gateway.wire.audit import AuditPage


@endpoint
def list_audit(wanted: AuditSearch, gateway: Gateway, limit: Limit = 20, cursor: Cursor = None) -> AuditPage:
    """Who changed what, and what was denied, newest first: the last 24 hours, where neither `from` nor `to` is given."""
    return AuditPage.of(gateway.audit_trail.page(wanted, limit=limit, cursor=cursor))


handler = lambda_handler(list_audit)
