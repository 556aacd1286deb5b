"""Embeddings: the HTTP side with a scripted model, and vectors of the real one."""

import asyncio
import base64
import math
import struct
from pathlib import Path

import httpx2
import pytest
from local_model.app import create_app
from local_model.generation import ChatMessage, Embedding, Generation
from local_model.model_file import find_model
from local_model.settings import SettingsError, read_settings
from local_model.worker import Worker

from tests.adapters.local_model import MODEL_NAME, local_model_server
from tests.adapters.scripted_model import ScriptedModel
from tests.local_model.test_http import call, error_of

ASKED = {"model": "scripted", "input": ["one", "two words"]}


def embed(model: ScriptedModel | None = None, /, **changes):
    return call("POST", "/v1/embeddings", model=model, json={**ASKED, **changes})


def test_a_vector_for_each_text_and_what_they_took():
    assert embed(user="somebody").json() == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [1.0, 0.5]},
            {"object": "embedding", "index": 1, "embedding": [2.0, 0.5]},
        ],
        "model": "scripted",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }


def test_one_text_may_stand_alone_and_vectors_may_be_packed():
    (item,) = embed(input="one two three", encoding_format="base64").json()["data"]
    assert struct.unpack("<2f", base64.b64decode(item["embedding"])) == (3.0, 0.5)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"input": []}, "input"),
        ({"input": [""]}, "input.0"),
        ({"input": [1, 2]}, "input.0"),
        ({"input": ["x"] * 257}, "input"),
        ({"input": None}, "input"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"dimensions": 5}, "dimensions"),
        ({"input": ["x", "word " * 21]}, "input.1"),
    ],
)
def test_what_cannot_be_done_is_named(changes, param):
    assert error_of(embed(**changes), 400)["param"] == param


def test_where_it_is_off_it_says_how_to_switch_it_on():
    model = ScriptedModel()
    model.embedding_tokens = None
    assert "EMBEDDINGS=on" in error_of(embed(model), 400)["message"]
    assert model.embedded == []


def test_another_model_is_not_found():
    error_of(embed(model=None), 400)
    assert error_of(call("POST", "/v1/embeddings", json={**ASKED, "model": "another"}), 404)["param"] == "model"


def test_a_model_that_fails_is_a_500():
    model = ScriptedModel()
    model.failure = RuntimeError("SECRET")
    assert "SECRET" not in error_of(embed(model), 500)["message"]


def test_while_it_shuts_down_it_takes_none():
    assert call("POST", "/v1/embeddings", json=ASKED, drain=True).status_code == 503


def test_it_waits_in_the_same_line_as_answers():
    async def run():
        model = ScriptedModel()
        model.gate.clear()
        worker = Worker(model, max_queue=1)
        transport = httpx2.ASGITransport(create_app(model, worker), raise_app_exceptions=False)
        try:
            async with httpx2.AsyncClient(transport=transport, base_url="http://model") as client:
                job = worker.submit(Generation(prompt=[1], max_tokens=1, temperature=0.0, top_p=1.0, seed=1))
                waiting = asyncio.create_task(client.post("/v1/embeddings", json=ASKED))
                async with asyncio.timeout(5):
                    while not worker.queued:
                        await asyncio.sleep(0.002)
                    refused = await client.post("/v1/embeddings", json=ASKED)
                    model.gate.set()
                    answered = await waiting
                return refused.status_code, answered.status_code, job
        finally:
            worker.abandon()
            worker.close()

    refused, answered, _ = asyncio.run(run())
    assert (refused, answered) == (429, 200)


def test_the_switch_is_on_or_off():
    assert not read_settings({}).embeddings
    assert read_settings({"EMBEDDINGS": "on"}).embeddings
    with pytest.raises(SettingsError, match="EMBEDDINGS"):
        read_settings({"EMBEDDINGS": "yes"})


@pytest.fixture(scope="module")
def path(real_model) -> Path:
    return find_model(read_settings({}))[0]


@pytest.fixture(scope="module")
def model(path):
    from local_model.llama import LlamaCppModel

    return LlamaCppModel(path, name="real", context_tokens=512, threads=1, embeddings=True)


def vectors(model, *texts: str):
    embedding = Embedding(texts=[model.encode_text(text) for text in texts])
    return model.embed(embedding, cancelled=lambda: False).vectors


def cosine(one, other) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_vectors_of_the_real_model_have_length_one_and_do_not_depend_on_each_other(model):
    texts = ("The cat sits on the mat.", "A kitten is lying on a rug.", "Interest rates rose by two percent.")
    together = vectors(model, *texts)
    alone = [vectors(model, text)[0] for text in texts]

    assert [len(vector) for vector in together] == [576] * 3
    assert all(math.isclose(math.hypot(*vector), 1, rel_tol=1e-6) for vector in together)
    for one, other in zip(together, alone, strict=True):
        assert cosine(one, other) == pytest.approx(1, abs=1e-6)
    assert cosine(together[0], together[1]) > cosine(together[0], together[2])


def test_answers_and_vectors_do_not_disturb_each_other(model):
    def said():
        prompt = model.encode_chat([ChatMessage(role="user", content="Say hello.")])
        asked = Generation(prompt=prompt, max_tokens=8, temperature=0.0, top_p=1.0, seed=7)
        pieces = model.pieces(asked, cancelled=lambda: False)
        return b"".join(piece for _, piece in zip(range(8), pieces, strict=False))

    before, vector = said(), vectors(model, "one")[0]
    assert said() == before
    assert vectors(model, "one")[0] == vector


def test_the_longest_text_that_may_come_is_embedded(model):
    assert len(vectors(model, "word " * 500)[0]) == 576
    assert model.embedding_tokens == 512


def test_nobody_waits_for_what_is_not_wanted(model):
    embedding = Embedding(texts=[[1]] * 3)
    assert model.embed(embedding, cancelled=lambda: True).vectors == []


def test_who_only_chats_pays_nothing(path):
    from local_model.llama import LlamaCppModel

    model = LlamaCppModel(path, name="real", context_tokens=256, threads=1)
    assert model.embedding_tokens is None
    assert "_embedding_context" not in vars(model)
    with pytest.raises(RuntimeError, match="off"):
        vectors(model, "one")


def test_the_real_server_embeds(real_model, tmp_path):
    environ = {"MODEL_CACHE_DIR": str(tmp_path), "N_CTX": "512", "EMBEDDINGS": "on"}
    with local_model_server(environ) as address:
        answer = httpx2.post(
            f"{address}/v1/embeddings", json={"model": MODEL_NAME, "input": ["one", "two"]}, timeout=30
        ).json()

    assert [item["index"] for item in answer["data"]] == [0, 1]
    assert {len(item["embedding"]) for item in answer["data"]} == {576}
    assert answer["usage"]["prompt_tokens"] == 2
