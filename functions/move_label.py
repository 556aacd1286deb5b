"""PUT /api/v1/llm/prompts/{prompt_id}/labels/{label}: set, move or roll back a label."""

from llm_gateway.entrypoints.auditing import By
from llm_gateway.entrypoints.aws import Gateway, IfMatch, Reply, endpoint, lambda_handler
from llm_gateway.wire.labels import LabelBody, LabelPlaced


@endpoint
def move_label(
    prompt_id: str, label: str, body: LabelBody, expected: IfMatch, by: By, gateway: Gateway
) -> Reply[LabelPlaced]:
    """Leads a label to one version, to several by their weights, or with `rollback` to where it led before. `If-Match` takes the
    label's own `revision`. 201 where the label is new, 200 where it was moved. It holds everywhere within 5 s."""
    moved, is_new = gateway.labels.put(prompt_id, label, body.to_draft(), expected=expected, by=by)
    return Reply(LabelPlaced.at(prompt_id, moved), status=201 if is_new else 200)


handler = lambda_handler(move_label)
