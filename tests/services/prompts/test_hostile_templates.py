"""Templates that mean harm: each is refused where it is saved, or stopped after so many steps and bytes, in little memory."""

import tracemalloc
from typing import Any

import pytest
from llm_gateway.domain.chat import Message, MessageRole, TextPart
from llm_gateway.domain.prompts.templates import PromptTemplate, Variable, VariableType
from llm_gateway.errors import TemplateInvalid, TemplateVariablesInvalid
from llm_gateway.services.prompts.templates import check_template, fill_template

_MOST_BYTES = 50 * 2**20

LONG = "x" * 1_000_000
MANY: dict[str, Any] = {"many": list(range(20_000))}


def doubling(times: int) -> str:
    """A billion laughs: each name is twice the one before it."""
    lines = ["{% set a0 = text ~ text %}"]
    lines += [f"{{% set a{each} = a{each - 1} ~ a{each - 1} %}}" for each in range(1, times)]
    return "".join(lines) + f"{{{{ a{times - 1} }}}}"


def doubling_lists(times: int, use: str) -> str:
    lines = ["{% set a0 = ['ha', 'ha'] %}"]
    lines += [f"{{% set a{each} = [a{each - 1}, a{each - 1}] %}}" for each in range(1, times)]
    return "".join(lines) + use.format(last=f"a{times - 1}")


# What a template may not be, whatever it is filled with.
REFUSED = {
    "attribute escape by class": "{{ text.__class__.__mro__[1].__subclasses__() }}",
    "attribute escape by a member's name": "{{ text['__class__']()['__mro__'] }}",
    "attribute escape by the attr filter": "{{ text | attr('__class__') }}",
    "attribute escape by two underscores": "{{ text.__init__ }}",
    "attribute escape through a loop": "{% for x in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "attribute escape through a loop's method": "{% for x in [1] %}{{ loop.cycle(1) }}{% endfor %}",
    "attribute escape through self": "{{ self._TemplateReference__context }}",
    "attribute escape through a global": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "attribute escape through lipsum": "{{ lipsum.__globals__['os'] }}",
    "attribute escape through a namespace": "{% set ns = namespace() %}{% set ns.x = 1 %}{{ text }}",
    "format string by method": "{{ '{0.__class__}'.format(text) }}",
    "format string by format_map": "{{ '{a.__class__}'.format_map({'a': text}) }}",
    "format string by filter": "{{ '%(a)999999999d' | format(a=1) }}",
    "huge range": "{% for x in range(10**9) %}{{ text }}{% endfor %}",
    "huge power": "{{ 10 ** 10 ** 10 }}{{ text }}",
    "huge number": "{{ " + "9" * 100_000 + " }}{{ text }}",
    "huge number in hexadecimal": "{{ 0x" + "f" * 100_000 + " }}{{ text }}",
    "endless number": "{{ 1e999 }}{{ text }}",
    "wide center": "{{ text | center(10000000000) }}",
    "wide wordwrap": "{{ text | wordwrap(1) }}",
    "pretty print": "{{ text | pprint }}",
    "random": "{{ [text] | random }}",
    "url making": "{{ text | urlize }}",
    "grouping": "{{ [text] | groupby('a') }}",
    "batches": "{{ [text] | batch(1000000000, 'x') }}",
    "slices filled up": "{{ [text] | slice(1000000000) }}",
    "include": "{% include '/etc/passwd' %}{{ text }}",
    "include of many": "{% include ['a', 'b'] ignore missing %}{{ text }}",
    "import": "{% import 'os' as os %}{{ text }}",
    "from import": "{% from 'os' import system %}{{ text }}",
    "extends": "{% extends 'base' %}{{ text }}",
    "block": "{% block a %}{{ text }}{% endblock %}",
    "macro that calls itself": "{% macro a() %}{{ a() }}{{ a() }}{% endmacro %}{{ a() }}{{ text }}",
    "call block": "{% call text() %}x{% endcall %}",
    "filter block": "{% filter upper %}{{ text }}{% endfilter %}",
    "recursive loop": "{% for x in [[1]] recursive %}{{ loop(x) }}{% endfor %}{{ text }}",
    "autoescape": "{% autoescape true %}{{ text }}{% endautoescape %}",
    "set as a block": "{% set a %}{{ text }}{% endset %}",
    "with": "{% with a = text %}{{ a }}{% endwith %}",
    "unpacked arguments": "{{ text | replace(*[text, text]) }}",
    "unpacked names": "{{ text | replace(**{'old': 'a'}) }}",
    "deep brackets": "{{ " + "(" * 60_000 + "text" + ")" * 60_000 + " }}",
    "deep lists": "{{ " + "[" * 50_000 + "]" * 50_000 + " }}{{ text }}",
    "deep negation": "{{ " + "not " * 25_000 + "text }}",
    "deep signs": "{{ " + "-" * 9_000 + "1 }}{{ text }}",
    "deep conditions": "{% if text %}" * 900 + "{% endif %}" * 900,
    "deep loops": "{% for x in text %}" * 30 + "{% endfor %}" * 30,
    "long chain of sums": "{{ text" + "+text" * 4_000 + " }}",
    "long chain of filters": "{{ text" + "|trim" * 4_000 + " }}",
    "long chain of members": "{{ text" + ".a" * 4_000 + " }}",
    "long chain of branches": "{% if text %}" + "{% elif text %}" * 2_000 + "{% endif %}",
    "many expressions": "{{text}}" * 16_000,
    "a name of another script": "{{ \u0442\u0435xt }}{{ text }}",
    "a test that is none": "{{ text is sameas text }}",
    "a filter by a test": "{{ text is filter }}",
    "an own function's name": "{{ text | _each(0) }}",
    "an unclosed tag": "{% if text %}",
    "an unclosed comment": "{# " + "{{ text }}" * 10_000,
    "a tag of an extension": "{% do text.append(1) %}",
    "debug": "{% debug %}{{ text }}",
    "translation": "{% trans %}{{ text }}{% endtrans %}",
    "too long": "x" * 131_072 + "{{ text }}",
}

# What may be written, and is stopped when it goes too far.
STOPPED: dict[str, tuple[str, dict[str, Any]]] = {
    "attribute escape by a name that is given": ("{{ {}[text] }}", {"text": "__class__"}),
    "attribute escape through a filter of map": ("{{ [text] | map('attr', '__class__') | list }}", {"text": "x"}),
    "attribute escape by map": ("{{ [text] | map(attribute='__class__') }}", {"text": "x"}),
    "text times a number": ("{{ text * 1000000000 }}", {"text": "x"}),
    "list times a number": ("{{ [text] * 1000000000 }}", {"text": "x"}),
    "format string by per cent": ("{{ '%1000000000d' % text }}", {"text": "1"}),
    "numbers that grow": ("{% set a = 999999999 * 999999999 %}{{ text }}{{ a * a }}", {"text": "x"}),
    "division by zero": ("{{ 1 // 0 }}{{ text }}", {"text": "x"}),
    "remainder by zero": ("{{ 1 % 0 }}{{ text }}", {"text": "x"}),
    "billion laughs": (doubling(40), {"text": "ha"}),
    "billion laughs by plus": (doubling(40).replace("~", "+"), {"text": "ha"}),
    "billion laughs of lists": (doubling_lists(40, "{{{{ {last} }}}}{{{{ text }}}}"), {"text": "x"}),
    "billion laughs as json": (doubling_lists(40, "{{{{ {last} | tojson(8) }}}}{{{{ text }}}}"), {"text": "x"}),
    "billion laughs compared": (doubling_lists(40, "{{{{ {last} == {last} ~ '' }}}}{{{{ text }}}}"), {"text": "x"}),
    "billion laughs by replace": ("{% set a = text | replace('x', text) %}{{ a | replace('x', text) }}", {"text": LONG}),
    "replace of nothing": ("{{ text | replace('', text) }}", {"text": LONG}),
    "loops within loops": ("{% for a in many %}{% for b in many %}{{ text }}{% endfor %}{% endfor %}", {"text": "", **MANY}),
    "loops within short loops": (
        "{% for a in text %}{% for b in text %}{% for c in text %}{{ c }}{% endfor %}{% endfor %}{% endfor %}",
        {"text": "x" * 500},
    ),
    "a loop that puts out much": ("{% for a in many %}{{ text }}{% endfor %}", {"text": LONG, **MANY}),
    "a loop with a test": ("{% for a in many if a in many %}{{ text }}{% endfor %}", {"text": "", **MANY}),
    "a loop over itself": ("{% for a in [1] %}{% for b in loop %}{% endfor %}{% endfor %}{{ text }}", {"text": "x"}),
    "a loop shown": ("{% for a in [1] %}{{ loop }}{% endfor %}{{ text }}", {"text": "x"}),
    "a loop as json": ("{% for a in [1] %}{{ [loop] | tojson }}{% endfor %}{{ text }}", {"text": "x"}),
    "a huge join": ("{{ many | join(text) }}", {"text": LONG, **MANY}),
    "a huge join of characters": ("{{ text | join(text) }}", {"text": LONG}),
    "a list of characters": ("{{ text | list }}", {"text": LONG}),
    "characters sorted": ("{{ text | sort | join }}", {"text": LONG}),
    "characters once each": ("{{ text | unique | join }}", {"text": LONG}),
    "lines indented": ("{{ text | indent(8) }}", {"text": "\n" * 1_000_000}),
    "a wide indent": ("{{ text | indent(1000000000) }}", {"text": "a\nb"}),
    "a wide indent of json": ("{{ text | tojson(1000000000) }}", {"text": "a"}),
    "words in capitals": ("{{ text | title }}", {"text": "a " * 500_000}),
    "characters for control as json": ("{% for a in [1,2,3] %}{{ text | tojson }}{% endfor %}", {"text": "\x01" * 1_000_000}),
    "slices in a loop": ("{% for a in many %}{% set b = text[1:] %}{% endfor %}", {"text": LONG, **MANY}),
    "comparisons in a loop": ("{% for a in many %}{{ text[:-1] in text }}{% endfor %}", {"text": LONG, **MANY}),
    "tests in a loop": ("{% for a in many %}{{ text is eq(text ~ '') }}{% endfor %}", {"text": LONG, **MANY}),
    "filters in a loop": ("{% for a in many %}{{ text | upper | lower | length }}{% endfor %}", {"text": LONG, **MANY}),
    "wide characters": ("{% for a in [1,2,3,4,5] %}{{ text }}{% endfor %}", {"text": "\U0001f600" * 1_000_000}),
    "members that are not there": ("{{ text.a.b.c }}", {"text": "x"}),
    "a rounding to many places": ("{{ 1.5 | round(1000000000) }}{{ text }}", {"text": "x"}),
    "a long text for a number": ("{{ text | int }}", {"text": "9" * 1_000_000}),
    "a name of an object that is no text": ("{{ {1: text} | tojson }}", {"text": "x"}),
    "things that do not compare": ("{{ [1, text] | sort }}", {"text": "x"}),
    "a list within lists": (
        "{% set a0 = [text] %}" + "".join(f"{{% set a{n} = [a{n - 1}] %}}" for n in range(1, 200)) + "{{ a199 }}", {"text": "x"},
    ),
}  # fmt: skip

_DECLARED = {
    "text": Variable(type=VariableType.STRING),
    "many": Variable(type=VariableType.ARRAY),
}


def _template(source: str) -> PromptTemplate:
    message = Message(role=MessageRole.USER, content=(TextPart(text=source),))
    variables = {name: variable for name, variable in _DECLARED.items() if name in source}
    return PromptTemplate(messages=(message,), variables=variables)


@pytest.fixture
def peak() -> Any:
    """The memory that was taken at most, since it was asked for."""

    tracemalloc.start()
    start, _ = tracemalloc.get_traced_memory()
    yield lambda: tracemalloc.get_traced_memory()[1] - start
    tracemalloc.stop()


@pytest.mark.parametrize("source", REFUSED.values(), ids=REFUSED)
def test_a_template_that_means_harm_is_refused(source: str, peak: Any) -> None:
    with pytest.raises(TemplateInvalid) as refused:
        check_template(_template(source))
    assert refused.value.errors[0].field in ("template.messages[0].content", "template.variables.text")
    assert peak() < _MOST_BYTES


@pytest.mark.parametrize("source", REFUSED.values(), ids=REFUSED)
def test_it_is_refused_where_it_was_saved_all_the_same(source: str) -> None:
    """Whatever once came into the store, nothing of it is carried out."""
    with pytest.raises(TemplateVariablesInvalid):
        fill_template(_template(source), {"text": "x"} if "text" in source else {})


@pytest.mark.unmeasured  # Each takes as many steps as there may be.
@pytest.mark.parametrize(("source", "values"), STOPPED.values(), ids=STOPPED)
def test_a_template_that_goes_too_far_is_stopped(source: str, values: dict[str, Any], peak: Any) -> None:
    template = _template(source)
    check_template(template)
    with pytest.raises(TemplateVariablesInvalid) as stopped:
        fill_template(template, values)
    assert [error.field for error in stopped.value.errors] == ["prompt.variables"]
    assert peak() < _MOST_BYTES


def test_there_are_enough_of_them() -> None:
    assert len(REFUSED) + len(STOPPED) >= 100


def test_a_template_is_stopped_at_the_same_place_each_time() -> None:
    source, values = STOPPED["loops within short loops"]
    messages = set()
    for _ in range(3):
        with pytest.raises(TemplateVariablesInvalid) as stopped:
            fill_template(_template(source), values)
        messages.add(stopped.value.detail)
    assert len(messages) == 1
