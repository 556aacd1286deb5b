"""Texts as vectors: llama.cpp's mean over the tokens of a text, scaled to length 1, in a context of its own beside the chat's."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import llama_cpp

# A text is evaluated in one go, and every token of it takes 0.4 MB meanwhile with a vocabulary of fifty thousand.
MOST_TOKENS = 512


class EmbeddingContext:
    """Of a loaded model, whose weights it shares. For one thread at a time."""

    def __init__(self, model: Any, *, tokens: int, threads: int) -> None:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = tokens
        params.n_seq_max = 1
        params.n_threads = params.n_threads_batch = threads
        params.embeddings = True
        params.pooling_type = llama_cpp.LLAMA_POOLING_TYPE_MEAN
        self._dimensions: int = llama_cpp.llama_model_n_embd(model)
        self._context = llama_cpp.llama_init_from_model(model, params)
        if not self._context:
            raise MemoryError("llama.cpp cannot make a context for embeddings")
        self._batch = llama_cpp.llama_batch_init(tokens, 0, 1)

    def embed(self, texts: Sequence[Sequence[int]], *, cancelled: Callable[[], bool]) -> list[list[float]]:
        """A vector for each text, fewer once `cancelled`."""
        vectors: list[list[float]] = []
        for tokens in texts:
            if cancelled():
                break
            vectors.append(self._vector(tokens))
        return vectors

    def close(self) -> None:
        llama_cpp.llama_batch_free(self._batch)
        llama_cpp.llama_free(self._context)

    def _vector(self, tokens: Sequence[int]) -> list[float]:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        batch = self._batch
        batch.n_tokens = len(tokens)
        for place, token in enumerate(tokens):
            batch.token[place] = token
            batch.pos[place] = place
            batch.n_seq_id[place] = 1
            batch.seq_id[place][0] = 0
            batch.logits[place] = True
        if llama_cpp.llama_decode(self._context, batch) != 0:
            raise RuntimeError("llama.cpp cannot evaluate the text")
        return _scaled(llama_cpp.llama_get_embeddings_seq(self._context, 0)[: self._dimensions])


def _scaled(vector: Sequence[float]) -> list[float]:
    length = math.sqrt(sum(number * number for number in vector))
    return [number / length for number in vector] if length else list(vector)
