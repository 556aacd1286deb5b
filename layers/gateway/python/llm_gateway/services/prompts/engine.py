"""The engine: Jinja2 in a sandbox that reaches JSON values alone, with every step and byte counted.

Templates are first held against the language (`language.py`). What may grow in them is then put under the meter: loops, texts
that are joined, slices and comparisons become filters of the engine's own. Nothing is folded while a template is compiled.
"""

import operator
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any, Final, cast

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context
from jinja2.visitor import NodeTransformer

from llm_gateway.services.prompts.filters import FILTERS, TESTS, MeteredContext, as_text, bounded, number
from llm_gateway.services.prompts.language import check_tokens, check_tree, count_nodes
from llm_gateway.services.prompts.metering import Meter, TemplateFault, weight

_MOST_KEPT_CHARACTERS: Final = 524_288
_OPERATORS: Final = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv, "%": operator.mod,
}  # fmt: skip
# What reading a hostile text, and compiling what was read, may raise beside Jinja2's own errors.
_UNREADABLE: Final = (RecursionError, ValueError, OverflowError, SyntaxError, MemoryError)
_UNUSABLE: Final = (ArithmeticError, TypeError, ValueError, LookupError, RecursionError, AttributeError)


class _Environment(ImmutableSandboxedEnvironment):
    """No attribute of a Python object is reached: `a.b` and `a["b"]` are the member of an object, `a[0]` an element."""

    context_class = MeteredContext
    intercepted_binops = frozenset({*_OPERATORS, "**"})
    intercepted_unops = frozenset({"+", "-"})

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined, finalize=_put_out, optimized=False, keep_trailing_newline=True, cache_size=0
        )
        self.filters, self.tests, self.globals = {**FILTERS}, {**TESTS}, {}

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext):
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Undefined):
            str(obj)
        if isinstance(obj, dict) and isinstance(argument, str) and argument in obj:
            return obj[argument]
        is_index = isinstance(argument, int) and not isinstance(argument, bool)
        if isinstance(obj, str | list | tuple) and is_index and -len(obj) <= argument < len(obj):
            return obj[argument]
        wanted = (
            repr(argument[:70]) if isinstance(argument, str) else f"number {argument}" if is_index else "of that name"
        )
        return self.undefined(hint=f"uses a member {wanted} that a value does not have")

    def call(self, *_: Any, **__: Any) -> Any:
        raise TemplateFault("calls something")

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        meter = context.meter
        meter.step(1)
        if operator == "+" and any(isinstance(left, kind) and isinstance(right, kind) for kind in (str, list)):
            meter.make(weight(left) + weight(right))
            return left + right
        if operator not in _OPERATORS:
            raise TemplateFault("uses an operator that templates of prompts do not have")
        if operator in ("/", "//", "%") and number(right) == 0:
            raise TemplateFault("divides by zero")
        return bounded(_OPERATORS[operator](bounded(number(left)), bounded(number(right))))

    def call_unop(self, context: Any, operator: str, arg: Any) -> Any:  # noqa: ARG002
        return -number(arg) if operator == "-" else number(arg)


@pass_context
def _put_out(context: MeteredContext, value: Any) -> str:
    # What an `if` without `else` leaves out is nothing; all else that is undefined raises here.
    return str(value) if isinstance(value, Undefined) else as_text(context.meter, value)


class _Metering(NodeTransformer):
    """Puts under the meter whatever may take more than one step."""

    def __init__(self, environment: _Environment) -> None:
        self.environment = environment

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802
        parts = [*node.body, *([node.test] if node.test else [])]
        weight_of_one = nodes.Const(1 + count_nodes(parts), lineno=node.lineno, environment=self.environment)
        self.generic_visit(node)
        node.iter = self._filter("_each", node.iter, weight_of_one)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        texts = nodes.List(node.nodes, lineno=node.lineno, environment=self.environment)
        return self._filter("_concat", texts)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        nothing = nodes.Const(None, lineno=node.lineno, environment=self.environment)
        bounds = [part or nothing for part in (node.arg.start, node.arg.stop, node.arg.step)]
        return self._filter("_slice", node.node, *bounds)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:  # noqa: N802
        self.generic_visit(node)
        node.expr = self._filter("_weigh", node.expr)
        for operand in node.ops:
            operand.expr = self._filter("_weigh", operand.expr)
        return node

    def _filter(self, name: str, value: nodes.Node, *args: nodes.Expr) -> nodes.Filter:
        return nodes.Filter(value, name, [*args], [], None, None, lineno=value.lineno, environment=self.environment)


class _Compiled:
    """Templates by their texts, the last used kept while their texts are not too long together."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Template] = OrderedDict()
        self._characters = 0
        self._lock = Lock()

    def get(self, source: str) -> Template:
        with self._lock:
            if source in self._kept:
                self._kept.move_to_end(source)
                return self._kept[source]
        template = _compile(source)
        with self._lock:
            if source not in self._kept:
                self._characters += len(source)
            self._kept[source] = template
            while self._characters > _MOST_KEPT_CHARACTERS:
                oldest, _ = self._kept.popitem(last=False)
                self._characters -= len(oldest)
        return template


_ENVIRONMENT: Final = _Environment()
_COMPILED: Final = _Compiled()


def names_used(source: str) -> frozenset[str]:
    """The variables that `source` uses. Raises `TemplateFault` where it is no template that could be rendered."""
    return _read(source)[1]


def render(source: str, values: Mapping[str, Any], meter: Meter) -> str:
    """The text of `source` with `values`, which are JSON's. Raises `TemplateFault` where they do not fit, or take too much."""
    template = _COMPILED.get(source)
    context = cast(MeteredContext, template.new_context(dict(values)))
    context.meter = meter
    pieces = []
    try:
        for piece in template.root_render_func(context):
            meter.step(1)
            meter.put_out(piece)
            pieces.append(piece)
    except UndefinedError as error:
        raise TemplateFault(_undefined(error)) from None
    except _UNUSABLE:
        raise TemplateFault("combines or compares values that do not go together") from None
    return "".join(pieces)


def _compile(source: str) -> Template:
    tree, _ = _read(source)
    try:
        return _ENVIRONMENT.from_string(_Metering(_ENVIRONMENT).visit(tree))
    except TemplateSyntaxError as error:
        raise TemplateFault(f"cannot be read: {error.message} (line {error.lineno})") from None
    except _UNREADABLE:
        raise TemplateFault("cannot be read: it is nested too deeply, or has a number that is too large") from None


def _read(source: str) -> tuple[nodes.Template, frozenset[str]]:
    try:
        check_tokens(_ENVIRONMENT, source)
        tree = _ENVIRONMENT.parse(source)
        check_tree(tree, _ENVIRONMENT)
        return tree, frozenset(find_undeclared_variables(tree))
    except TemplateSyntaxError as error:
        raise TemplateFault(f"cannot be read: {(error.message or '')[:200]} (line {error.lineno})") from None
    except _UNREADABLE:
        raise TemplateFault("cannot be read: it is nested too deeply, or has a number that is too large") from None


def _undefined(error: UndefinedError) -> str:
    """What the engine itself says of a member, and what Jinja2 says of a name."""
    message = error.message or ""
    return message if message.startswith("uses ") else f"uses something that is not there: {message[:200]}"
