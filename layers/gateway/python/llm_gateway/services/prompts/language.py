"""The part of Jinja2 that templates are written in: values, filters, tests, conditions and loops. No call, no import, no macro.

Whatever is not named here is refused when a template is saved, so that nothing is rendered that could do more than make text.
"""

import math
import re
from collections.abc import Iterator
from typing import Any, Final

from jinja2 import Environment, nodes

from llm_gateway.services.prompts.metering import TemplateFault

MOST_BYTES: Final = 131_072
_MOST_TOKENS: Final = 10_000
_MOST_NODES: Final = 3_000
_MOST_BRACKETS: Final = 20
_MOST_LOOPS_WITHIN: Final = 4
_MOST_BRANCHES: Final = 50
_DEEPEST: Final = 40
LARGEST_NUMBER: Final = 10**15
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
RESERVED: Final = frozenset(
    {"loop", "self", "super", "caller", "varargs", "kwargs", "true", "false", "none", "True", "False", "None"}
    | {"and", "or", "not", "in", "is", "if", "else", "elif", "for", "set", "recursive"}
)
_LOOP_MEMBERS: Final = frozenset(
    {"index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem", "nextitem"}
)
_ALLOWED: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign,
    nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword,
    nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.CondExpr, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.Filter, nodes.Test, nodes.Concat,
    nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos,
)  # fmt: skip
_CALLED: Final[dict[type[nodes.Node], str]] = {
    nodes.Call: "a call",
    nodes.Extends: "`extends`", nodes.Block: "`block`", nodes.Include: "`include`", nodes.Import: "`import`",
    nodes.FromImport: "`from … import`", nodes.Macro: "`macro`", nodes.CallBlock: "`call`",
    nodes.FilterBlock: "`filter` as a block",
    nodes.AssignBlock: "`set` as a block", nodes.With: "`with`", nodes.ScopedEvalContextModifier: "`autoescape`",
    nodes.Pow: "`**`", nodes.NSRef: "a namespace",
}  # fmt: skip


def is_name(name: str) -> bool:
    """Whether a variable can be called `name`: letters, digits and underscores, a letter first, and no word of the language."""
    return _NAME.fullmatch(name) is not None and name not in RESERVED


def check_tokens(environment: Environment, source: str) -> None:
    """Raises `TemplateFault` for a text that is too large to be parsed, before it is."""
    if len(source.encode(errors="replace")) > MOST_BYTES:
        raise TemplateFault(f"is too long: {MOST_BYTES // 1024} KiB at most")
    within = 0
    for number, (_, kind, text) in enumerate(environment.lexer.tokeniter(source, None)):
        if kind == "operator":
            within += (text in "([{") - (text in ")]}")
        if within > _MOST_BRACKETS:
            raise TemplateFault(f"has more than {_MOST_BRACKETS} brackets one within another")
        if number >= _MOST_TOKENS:
            raise TemplateFault(f"has too many parts: {_MOST_TOKENS} words and signs at most")


def check_tree(tree: nodes.Template, environment: Environment) -> None:
    """Raises `TemplateFault` for what a template may not hold, and for more of it than it may."""
    for count, (node, depth, loops) in enumerate(_walk(tree)):
        if count >= _MOST_NODES:
            raise TemplateFault(f"has too many parts: {_MOST_NODES} expressions at most")
        if depth > _DEEPEST:
            raise TemplateFault(
                f"is nested too deeply: {_DEEPEST} levels at most, of which a chain of operators has many"
            )
        if loops > _MOST_LOOPS_WITHIN:
            raise TemplateFault(f"has more than {_MOST_LOOPS_WITHIN} loops one within another")
        _check_node(node, environment)


def count_nodes(parts: list[nodes.Node]) -> int:
    return sum(1 for part in parts for _ in _walk(part))


def _walk(root: nodes.Node) -> Iterator[tuple[nodes.Node, int, int]]:
    """Each node, the root first, with its depth and the number of loops that it is in."""
    rest = [(root, 0, 0)]
    while rest:
        node, depth, loops = rest.pop()
        yield node, depth, loops
        inner = loops + isinstance(node, nodes.For)
        rest += [(child, depth + 1, inner) for child in node.iter_child_nodes()]


def _check_node(node: nodes.Node, environment: Environment) -> None:
    if not isinstance(node, _ALLOWED):
        what = _CALLED.get(type(node), f"`{type(node).__name__.lower()}`")
        instead = ": use a filter (`customer | items`)" if isinstance(node, nodes.Call) else ""
        raise _fault(node, f"uses {what}, which templates of prompts do not have{instead}")
    match node:
        case nodes.Name():
            _check_name(node)
        case nodes.Const():
            _check_constant(node)
        case nodes.Getattr(node=nodes.Name(name="loop"), attr=member) if member not in _LOOP_MEMBERS:
            raise _fault(node, f"uses `loop.{member}`; there are {', '.join(sorted(_LOOP_MEMBERS))}")
        case nodes.Getattr(attr=member) if member.startswith("__"):
            raise _fault(node, "uses a member whose name begins with two underscores")
        case nodes.Filter():
            _check_applied(node, "filter", environment.filters)
        case nodes.Test():
            _check_applied(node, "test", environment.tests)
        case nodes.Stmt():
            _check_statement(node)


def _check_statement(node: nodes.Stmt) -> None:
    match node:
        case nodes.For(recursive=True):
            raise _fault(node, "uses a recursive loop, which templates of prompts do not have")
        case nodes.If(elif_=branches) if len(branches) > _MOST_BRANCHES:
            raise _fault(node, f"has too many branches: {_MOST_BRANCHES} `elif` at most")
        case nodes.Assign(target=target) if not isinstance(target, nodes.Name):
            raise _fault(node, "sets something other than one name")


def _check_name(node: nodes.Name) -> None:
    is_loop = node.name == "loop" and node.ctx == "load"
    if not is_loop and not is_name(node.name):
        raise _fault(
            node,
            f"uses {node.name[:70]!r} as a name: names have ASCII letters, digits and underscores, a letter first,"
            " and are no words of the language",
        )


def _check_constant(node: nodes.Const) -> None:
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if not math.isfinite(value) or abs(value) > LARGEST_NUMBER:
        raise _fault(node, "has a number that is too large")


def _check_applied(node: nodes.Filter | nodes.Test, kind: str, known: dict[str, Any]) -> None:
    if node.node is None or node.dyn_args is not None or node.dyn_kwargs is not None:
        raise _fault(node, f"applies a {kind} in a way that templates of prompts do not have")
    if node.name not in known or node.name.startswith("_"):
        names = ", ".join(sorted(name for name in known if not name.startswith("_")))
        raise _fault(node, f"uses the {kind} {node.name[:70]!r}, which is not among those of prompts: {names}")


def _fault(node: nodes.Node, message: str) -> TemplateFault:
    return TemplateFault(f"{message} (line {node.lineno})")
