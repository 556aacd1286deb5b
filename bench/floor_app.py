"""The floor under a gateway's price: FastAPI and OpenAI's SDK, which ask and answer, and do nothing else."""

import os
from collections.abc import AsyncIterator
from typing import Literal

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionUserMessageParam
from pydantic import BaseModel

app = FastAPI()
client = AsyncOpenAI(base_url=os.environ["UPSTREAM"], api_key="floor", max_retries=0)


class Message(BaseModel):
    """What somebody says."""

    role: Literal["user"]
    content: str

    def for_openai(self) -> ChatCompletionUserMessageParam:
        """As the SDK takes it."""
        return {"role": self.role, "content": self.content}


class Query(BaseModel):
    """What is asked."""

    messages: list[Message]


class Answer(BaseModel):
    """What is answered."""

    text: str | None
    tokens: int | None


@app.get("/health")
async def get_health() -> dict[str, str]:
    """It is up."""
    return {"status": "ok"}


@app.post("/query")
async def run_query(query: Query) -> Answer:
    """The whole answer."""
    completion = await client.chat.completions.create(
        model="bench", messages=[message.for_openai() for message in query.messages]
    )
    usage = completion.usage
    return Answer(text=completion.choices[0].message.content, tokens=usage.total_tokens if usage else None)


@app.post("/query/stream")
async def stream_query(query: Query) -> StreamingResponse:
    """The answer as it is written."""
    chunks = await client.chat.completions.create(
        model="bench",
        messages=[message.for_openai() for message in query.messages],
        stream=True,
        stream_options={"include_usage": True},
    )

    async def events() -> AsyncIterator[str]:
        async for chunk in chunks:
            yield f"data: {chunk.model_dump_json()}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")
