"""POST /v1/embeddings: OpenAI's Embeddings."""

from llm_gateway.entrypoints.aws import app_and_handler, endpoint
from llm_gateway.entrypoints.embedding import Embedding, EventStream
from llm_gateway.wire.openai.embeddings import EmbeddingsBody


@endpoint
def create_embeddings(body: EmbeddingsBody, embedding: Embedding) -> EventStream:
    """A vector for each text, as OpenAI's own clients read it."""
    return embedding.embed(body)


app, handler = app_and_handler(create_embeddings)
