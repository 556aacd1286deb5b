"""Wishes: what a candidate is asked without, because it cannot take it."""

import pytest
from llm_gateway.domain.chat import ChatRequest, Parameters
from llm_gateway.domain.model_table import ModelProfile, Quirk
from llm_gateway.domain.providers import Capability
from llm_gateway.services.queries.wishes import within_reach

ALL = frozenset({Capability.TEMPERATURE, Capability.TOP_P, Capability.STOP, Capability.SEED})


def asked(
    parameters: Parameters, *wishes: str, able: frozenset[Capability] = ALL, quirk: Quirk | None = None
) -> object:
    profile = ModelProfile(
        capabilities=able, quirks=frozenset({quirk} if quirk else ()), max_output_tokens=100, tokenizer=None
    )
    chat = ChatRequest(model="m", messages=(), parameters=parameters)
    left, left_out = within_reach(chat, tuple(f"parameters.{wish}" for wish in wishes), profile)
    return left.parameters, left_out


@pytest.mark.parametrize(
    ("parameters", "wishes", "able", "left", "left_out"),
    [
        (Parameters(temperature=0.2, seed=1), ("temperature", "seed"), ALL, Parameters(temperature=0.2, seed=1), ()),
        (
            Parameters(temperature=0.2, seed=1),
            ("temperature", "seed"),
            ALL - {Capability.SEED},
            Parameters(temperature=0.2),
            ("parameters.seed",),
        ),
        (Parameters(stop=("x",)), ("stop",), ALL - {Capability.STOP}, Parameters(), ("parameters.stop",)),
        (Parameters(seed=1), (), ALL - {Capability.SEED}, Parameters(seed=1), ()),
        (
            Parameters(max_output_tokens=500),
            ("max_output_tokens",),
            ALL,
            Parameters(),
            ("parameters.max_output_tokens",),
        ),
    ],
)
def test_a_wish_is_left_out_where_it_cannot_be_taken(
    parameters: Parameters,
    wishes: tuple[str, ...],
    able: frozenset[Capability],
    left: Parameters,
    left_out: tuple[str, ...],
) -> None:
    assert asked(parameters, *wishes, able=able) == (left, left_out)


def test_a_wish_gives_way_to_what_the_query_itself_asks_for() -> None:
    both = Parameters(temperature=0.2, top_p=0.5)
    quirk = Quirk.ONE_SAMPLING_PARAMETER
    assert asked(both, "temperature", quirk=quirk) == (Parameters(top_p=0.5), ("parameters.temperature",))
    assert asked(both, "temperature", "top_p", quirk=quirk) == (Parameters(temperature=0.2), ("parameters.top_p",))
    assert asked(both, quirk=quirk) == (both, ())
