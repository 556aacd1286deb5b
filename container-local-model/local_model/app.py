"""The HTTP side: routes, the order of checks, and what a client that leaves sets in motion."""

import time
import uuid
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_model.answers import Answer, embeddings, server_sent
from local_model.chat_request import ChatRequest, parse_chat_request, parse_tokenize_request
from local_model.client import EventStream, cancelling_when_client_leaves, read_json_body
from local_model.embedding_request import parse_embedding_request
from local_model.errors import ApiError, GenerationFailed, ModelNotFound, error_body
from local_model.generation import Embedded, Embedding, Finished, Generation, Model
from local_model.prepare import prepare, prepare_texts
from local_model.worker import Job, Worker


def create_app(model: Model, worker: Worker, *, usual_tokens: int | None = None) -> Starlette:
    """`usual_tokens` bounds an answer whose length nobody asked for."""
    return Starlette(
        routes=_Routes(model, worker, usual_tokens).table(),
        exception_handlers={ApiError: _api_error, HTTPException: _http_error, Exception: _unexpected_error},
    )


class _Routes:
    def __init__(self, model: Model, worker: Worker, usual_tokens: int | None) -> None:
        self._model = model
        self._worker = worker
        self._usual_tokens = usual_tokens
        self._loaded_at = int(time.time())

    def table(self) -> list[Route]:
        return [
            Route("/health", self.health, methods=["GET"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{model_id:path}", self.one_model, methods=["GET"]),
            Route("/v1/tokenize", self.tokenize, methods=["POST"]),
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/embeddings", self.embeddings, methods=["POST"]),
        ]

    async def health(self, _: Request) -> Response:
        worker = self._worker
        state = {
            "status": "draining" if worker.draining else "ok",
            "model": self._model.name,
            "busy": worker.busy,
            "queued": worker.queued,
            "max_queue": worker.max_queue,
        }
        return JSONResponse(state, status_code=503 if worker.draining else 200)

    async def models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._description()]})

    async def one_model(self, request: Request) -> Response:
        self._check_name(request.path_params["model_id"])
        return JSONResponse(self._description())

    async def tokenize(self, request: Request) -> Response:
        asked = await run_in_threadpool(parse_tokenize_request, await read_json_body(request))
        if asked.model is not None:
            self._check_name(asked.model)
        if asked.messages is not None:
            messages = [message.value() for message in asked.messages]
            count = len(await run_in_threadpool(self._model.encode_chat, messages))
        else:
            count = await run_in_threadpool(self._model.count_text, asked.text or "")
        return JSONResponse({"model": self._model.name, "count": count, "context_window": self._model.context_tokens})

    async def chat(self, request: Request) -> Response:
        body = await read_json_body(request)
        self._worker.check_open()
        asked = await run_in_threadpool(parse_chat_request, body)
        self._check_name(asked.model)
        generation = await run_in_threadpool(prepare, asked, self._model, usual_tokens=self._usual_tokens)
        job = self._worker.submit(generation)
        async with cancelling_when_client_leaves(request.receive, job):
            # Nothing is sent before the model made something: until then a failure still has a status of its own.
            first = await _next_event(job)
            if not asked.stream:
                return JSONResponse(await self._whole(job, generation, first))
        return EventStream(self._chunks(asked, job, generation, first), job=job)

    async def embeddings(self, request: Request) -> Response:
        body = await read_json_body(request)
        self._worker.check_open()
        asked = await run_in_threadpool(parse_embedding_request, body)
        self._check_name(asked.model)
        texts = await run_in_threadpool(prepare_texts, asked.input, self._model)
        job = self._worker.submit(Embedding(texts=texts))
        async with cancelling_when_client_leaves(request.receive, job):
            event = await job.events.get()
        if not isinstance(event, Embedded):
            raise event if isinstance(event, ApiError) else GenerationFailed("the model failed to answer")
        tokens = sum(map(len, texts))
        told = partial(embeddings, event.vectors, model=self._model.name, tokens=tokens, encoding=asked.encoding_format)
        return JSONResponse(await run_in_threadpool(told))

    async def _whole(self, job: Job, generation: Generation, event: str | Finished) -> dict[str, object]:
        parts = []
        while not isinstance(event, Finished):
            parts.append(event)
            event = await _next_event(job)
        return self._answer(generation).whole("".join(parts), event)

    async def _chunks(
        self, asked: ChatRequest, job: Job, generation: Generation, event: str | Finished
    ) -> AsyncIterator[bytes]:
        answer = self._answer(generation)
        with_usage = asked.stream_options is not None and asked.stream_options.include_usage
        pending = {"usage": None} if with_usage else {}
        yield server_sent({**answer.chunk({"role": "assistant", "content": ""}), **pending})
        try:
            while not isinstance(event, Finished):
                yield server_sent({**answer.chunk({"content": event}), **pending})
                event = await _next_event(job)
        except ApiError as error:
            yield server_sent(error.body())
            return
        yield server_sent({**answer.chunk({}, reason=event.reason), **pending})
        if with_usage:
            yield server_sent(answer.usage_chunk(event))
        yield server_sent("[DONE]")

    def _answer(self, generation: Generation) -> Answer:
        return Answer(
            id=f"chatcmpl-{uuid.uuid4().hex}",
            model=self._model.name,
            created=int(time.time()),
            prompt_tokens=len(generation.prompt),
        )

    def _check_name(self, name: str) -> None:
        if name != self._model.name:
            raise ModelNotFound(f"the model {name!r} is not loaded; {self._model.name!r} is", param="model")

    def _description(self) -> dict[str, object]:
        return {
            "id": self._model.name,
            "object": "model",
            "created": self._loaded_at,
            "owned_by": "local",
            "context_window": self._model.context_tokens,
        }


async def _next_event(job: Job) -> str | Finished:
    """Raises the ApiError that ended the job."""
    event = await job.events.get()
    if isinstance(event, ApiError):
        raise event
    if isinstance(event, Embedded):
        raise GenerationFailed("the model failed to answer")
    return event


async def _api_error(_: Request, error: Any) -> Response:
    return JSONResponse(error.body(), status_code=error.status, headers=error.headers())


async def _http_error(_: Request, error: Any) -> Response:
    code = {404: "unknown_url", 405: "method_not_allowed"}.get(error.status_code)
    body = error_body(message=error.detail, kind="invalid_request_error", param=None, code=code)
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)


async def _unexpected_error(_: Request, __: Exception) -> Response:
    return JSONResponse(ApiError("the server failed").body(), status_code=500)
