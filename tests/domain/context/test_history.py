"""A long conversation: its latest turns stay, its first instructions too, and no result without its call."""

from llm_gateway.domain.chat import Message, MessageRole, ToolCall
from llm_gateway.domain.context.history import kept, question_of

from tests.adapters.contexts import said

RULES = said("Be brief.", MessageRole.SYSTEM)
CALL = Message(role=MessageRole.ASSISTANT, tool_calls=(ToolCall(id="1", name="look", arguments="{}"),))
RESULT = Message(role=MessageRole.TOOL, tool_call_id="1")


def answered(text: str) -> Message:
    return said(text, MessageRole.ASSISTANT)


def one_each(_: Message) -> int:
    return 1


def test_the_latest_turns_stay() -> None:
    talk = (RULES, said("1"), answered("a"), said("2"), answered("b"), said("3"))
    assert kept(talk, most=4, tokens=one_each) == talk
    assert kept(talk, most=3, tokens=one_each) == (RULES, said("2"), answered("b"), said("3"))
    assert kept(talk, most=0, tokens=one_each) == (RULES, said("3"))


def test_a_call_and_its_result_stay_together() -> None:
    talk = (said("1"), CALL, RESULT, answered("a"), said("2"))
    assert kept(talk, most=4, tokens=one_each) == talk
    assert kept(talk, most=3, tokens=one_each) == (said("2"),)


def test_what_follows_the_question_stays() -> None:
    talk = (said("1"), answered("a"), said("2"), CALL, RESULT)
    assert kept(talk, most=0, tokens=one_each) == talk[2:]
    assert question_of(talk) == "2"


def test_there_is_no_gap_in_what_stays() -> None:
    long, short = said("long"), said("short")
    talk = (short, long, answered("a"), said("now"))
    assert kept(talk, most=5, tokens=lambda message: 9 if message is long else 1) == (said("now"),)


def test_a_conversation_without_a_user_keeps_its_end() -> None:
    assert kept((answered("a"), answered("b")), most=0, tokens=one_each) == (answered("b"),)
    assert kept((RULES,), most=0, tokens=one_each) == (RULES,)
    assert question_of(()) == ""
