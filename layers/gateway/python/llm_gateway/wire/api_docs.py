"""The API about itself: its health, its OpenAPI document and a page to read that by."""

from importlib import resources
from typing import Literal

from llm_gateway.wire.schema import Outgoing

_DOCS_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>LLM gateway</title>
<link rel="stylesheet" href="https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "openapi.json", dom_id: "#api", deepLinking: true})</script>
</body>
</html>
"""


class Alive(Outgoing):
    """The gateway answers."""

    status: Literal["ok"]


def openapi_document() -> str:
    """The whole API's OpenAPI document, as JSON: the file that `make openapi` writes from the code."""
    return resources.files("llm_gateway.wire").joinpath("openapi.json").read_text(encoding="utf-8")


def docs_page() -> str:
    """Swagger UI over the document."""
    return _DOCS_PAGE
