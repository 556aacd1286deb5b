"""The line in front of the model: its order, its length, and what leaving it does."""

import asyncio
import logging

import pytest
from local_model.errors import ApiError, GenerationFailed, QueueFull, ShuttingDown
from local_model.generation import Finished, Generation
from local_model.worker import Job, Worker

from tests.adapters.scripted_model import ScriptedModel

SOON_S = 5


def generation(**changes) -> Generation:
    return Generation(**{"prompt": [1, 2], "max_tokens": 10, "temperature": 0.0, "top_p": 1.0, "seed": 1, **changes})


async def ending(job: Job) -> Finished | ApiError:
    async with asyncio.timeout(SOON_S):
        while isinstance(event := await job.events.get(), str):
            pass
    return event


async def until(condition) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():
            await asyncio.sleep(0.002)


def with_worker(test, *, max_queue: int = 1, **model):
    async def run():
        scripted = ScriptedModel(**model)
        worker = Worker(scripted, max_queue=max_queue)
        try:
            await test(worker, scripted)
        finally:
            worker.abandon()
            worker.close()

    asyncio.run(run())


def test_answers_are_made_one_after_the_other_in_order():
    async def test(worker, model):
        first, second = worker.submit(generation(seed=1)), worker.submit(generation(seed=2))
        assert (worker.busy, worker.queued) == (True, 1)
        assert await ending(first) == await ending(second) == Finished(reason="stop", completion_tokens=2)
        assert [asked.seed for asked in model.asked] == [1, 2]
        await until(lambda: not worker.busy)

    with_worker(test)


def test_max_tokens_end_an_answer_with_length():
    async def test(worker, model):
        assert await ending(worker.submit(generation(max_tokens=1))) == Finished(reason="length", completion_tokens=1)

    with_worker(test)


def test_a_stop_sequence_ends_an_answer_and_its_tokens_count():
    async def test(worker, model):
        job = worker.submit(generation(stop=("the",)))
        assert await ending(job) == Finished(reason="stop", completion_tokens=2)
        assert model.made == 2

    with_worker(test, pieces=[b"Hello", b" the", b"re"])


def test_a_full_queue_refuses_and_says_when_to_come_back():
    async def test(worker, model):
        model.gate.clear()
        running, waiting = worker.submit(generation()), worker.submit(generation())
        with pytest.raises(QueueFull) as refused:
            worker.submit(generation())
        assert refused.value.retry_after_s >= 1
        model.gate.set()
        await ending(running)
        await ending(waiting)
        await ending(worker.submit(generation()))

    with_worker(test)


def test_without_a_queue_an_idle_worker_still_takes_one():
    async def test(worker, model):
        model.gate.clear()
        worker.submit(generation())
        with pytest.raises(QueueFull):
            worker.submit(generation())

    with_worker(test, max_queue=0)


def test_leaving_the_queue_frees_the_place_and_the_model_never_hears_of_it():
    async def test(worker, model):
        model.gate.clear()
        running, waiting = worker.submit(generation(seed=1)), worker.submit(generation(seed=2))
        waiting.cancel()
        assert worker.queued == 0
        third = worker.submit(generation(seed=3))
        model.gate.set()
        await ending(running)
        await ending(third)
        assert [asked.seed for asked in model.asked] == [1, 3]

    with_worker(test)


def test_leaving_stops_the_model_at_its_next_token():
    async def test(worker, model):
        model.gate.clear()
        job = worker.submit(generation())
        await until(lambda: model.asked)
        job.cancel()
        await until(lambda: not worker.busy)
        assert model.made == 0
        assert isinstance(await ending(job), GenerationFailed)

    with_worker(test)


def test_a_model_that_fails_fails_one_answer(caplog):
    async def test(worker, model):
        model.failure = RuntimeError("llama_decode returned 1")
        with caplog.at_level(logging.CRITICAL, logger="local_model"):
            assert isinstance(await ending(worker.submit(generation())), GenerationFailed)
        model.failure = None
        assert isinstance(await ending(worker.submit(generation())), Finished)

    with_worker(test)


def test_draining_finishes_what_was_taken_and_refuses_the_rest():
    async def test(worker, model):
        model.gate.clear()
        running, waiting = worker.submit(generation()), worker.submit(generation())
        worker.drain()
        with pytest.raises(ShuttingDown):
            worker.submit(generation())
        model.gate.set()
        assert isinstance(await ending(running), Finished)
        assert isinstance(await ending(waiting), Finished)

    with_worker(test)


def test_abandoning_ends_everything_with_the_reason():
    async def test(worker, model):
        model.gate.clear()
        running, waiting = worker.submit(generation()), worker.submit(generation())
        worker.drain()
        worker.abandon()
        assert isinstance(await ending(running), ShuttingDown)
        assert isinstance(await ending(waiting), ShuttingDown)
        await until(lambda: not worker.busy)

    with_worker(test)
