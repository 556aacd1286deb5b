"""What a handler takes of a request, worked out once when it is mounted."""

from collections.abc import Callable, Collection, Iterator, Mapping, Set
from dataclasses import dataclass, field
from inspect import Parameter as Argument
from inspect import isasyncgenfunction, isclass, iscoroutinefunction, isgeneratorfunction, signature, unwrap
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from starlette.background import BackgroundTasks
from starlette.datastructures import Headers, QueryParams
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from llm_gateway.entrypoints.declared import HEADER, PATH, QUERY, Depends, Parameter
from llm_gateway.entrypoints.read_request import ReadRequest
from llm_gateway.wire.schema import Incoming

_UNIONS: Final = (Union, UnionType)
_IS_NONE: Final = (None, NoneType)
# What FastAPI gives as well. It would be taken for a parameter of the query.
_NOT_GIVEN: Final = (BackgroundTasks, HTTPConnection, Response)


@dataclass(frozen=True, slots=True)
class Body:
    """The argument that a request's body is, what it is read as, and whether there must be one."""

    name: str
    schema: type[Incoming]
    is_required: bool


@dataclass(slots=True)
class _Found:
    """What the functions that a handler depends on gave, each called once, and all that is wrong with the parameters."""

    given: dict[Callable[..., Any], Any] = field(default_factory=dict)
    faults: list[Mapping[str, Any]] = field(default_factory=list)


class _Read:
    """One parameter. One that may be any text needs no more than its name: it cannot be wrong."""

    __slots__ = ("_adapter", "_annotation", "_default", "_is_any_text", "_is_list", "_name", "alias", "kind")

    def __init__(self, argument: Argument, annotation: Any, parameter: Parameter) -> None:
        self._name = argument.name
        self.kind = parameter.kind
        spoken = argument.name.replace("_", "-") if parameter.kind == HEADER else argument.name
        self.alias = parameter.alias or spoken
        self._default = argument.default
        self._annotation = (annotation, parameter.rules)
        self._is_list = any(_is_list(each, argument) for each in _members(annotation))
        self._is_any_text = annotation == (str | None) and not parameter.rules and argument.default is None
        self._adapter: Any = None

    def read(self, source: Any, arguments: dict[str, Any], found: _Found) -> None:
        """Puts the value into `arguments`, or what is wrong with it into `found`."""
        if self._is_any_text:
            arguments[self._name] = source.get(self.alias)
            return
        given = (source.getlist(self.alias) or None) if self._is_list else source.get(self.alias)
        if given is not None:
            self._check(given, arguments, found)
        elif self._default is Argument.empty:
            found.faults.append({"type": "missing", "loc": (self.kind, self.alias), "msg": "Field required"})
        else:
            arguments[self._name] = self._default

    def _check(self, given: Any, arguments: dict[str, Any], found: _Found) -> None:
        from pydantic import Field, TypeAdapter, ValidationError

        if self._adapter is None:
            annotation, rules = self._annotation
            bounded: Any = Annotated[annotation, Field(**dict(rules))]
            self._adapter = TypeAdapter(bounded)
        try:
            arguments[self._name] = self._adapter.validate_python(given)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False)
            found.faults += [{**fault, "loc": (self.kind, self.alias, *fault["loc"])} for fault in faults]


class Taken:
    """A function and its arguments: what other functions give, what the request's parameters say, its body, and itself."""

    __slots__ = ("_bodies", "_call", "_depends", "_parameters", "_request")

    def __init__(self, call: Callable[..., Any], *, path: Set[str] = frozenset()) -> None:
        """`path` names the parameters in the route's path. Raises ValueError for what no request is read for."""
        self._call = _plain(call)
        self._depends: list[tuple[str, Taken]] = []
        self._parameters: list[_Read] = []
        self._bodies: list[Body] = []
        self._request: str | None = None
        for argument in signature(call, eval_str=True).parameters.values():
            self._take(argument, path)

    @property
    def body(self) -> Body | None:
        """What it, or a function that it depends on, takes the body as. Raises ValueError where it is taken in two ways."""
        bodies = set(self._every_body())
        if len(bodies) > 1:
            raise ValueError(f"a body is read once, and this takes it in several ways: {bodies}")
        return next(iter(bodies), None)

    def names(self, kind: str) -> set[str]:
        """Those of all parameters of a kind, as a client writes them."""
        own = {each.alias for each in self._parameters if each.kind == kind}
        return own.union(*(its.names(kind) for _, its in self._depends))

    def answer(self, request: ReadRequest) -> Any:
        """What the function returns. Raises `ValidationFailed` with all that is wrong with the parameters."""
        found = _Found()
        arguments = self._arguments(request, found)
        if found.faults:
            from llm_gateway.entrypoints.validation import validation_failed

            raise validation_failed(found.faults)
        return self._call(**arguments)

    def _take(self, argument: Argument, path: Set[str]) -> None:
        annotation, marks = _unmarked(argument.annotation)
        if argument.kind in (Argument.VAR_POSITIONAL, Argument.VAR_KEYWORD, Argument.POSITIONAL_ONLY):
            raise ValueError(f"each argument is given by its name, and {argument} has none")
        if len(marks) > 1:
            raise ValueError(f"{argument} is taken from several places")
        if isinstance(argument.default, Depends | Parameter) or _is_fastapis(argument.default):
            raise ValueError(f"what {argument} is taken from belongs into its annotation")
        match next(iter(marks), None):
            case Depends(call):
                self._depends.append((argument.name, Taken(call, path=path)))
            case Parameter() as parameter:
                self._parameters.append(_Read(argument, annotation, parameter))
            case _:
                self._take_unmarked(argument, annotation, path)

    def _take_unmarked(self, argument: Argument, annotation: Any, path: Set[str]) -> None:
        members = _members(annotation)
        classes = [member for member in members if isclass(member)]
        if annotation is Request:
            self._request = argument.name
        elif any(issubclass(each, Incoming) for each in classes):
            if len(members) > 1:
                raise ValueError(f"a body is read as one thing, and this takes it in several ways: {argument}")
            self._bodies.append(Body(argument.name, members[0], argument.default is Argument.empty))
        elif annotation is Argument.empty or any(issubclass(each, _NOT_GIVEN) for each in classes):
            raise ValueError(f"no request is read for {argument}")
        elif any(_is_list(each, argument) for each in members):
            # FastAPI would read a body as it.
            raise ValueError(f"a list says that it is from the query: {argument}")
        else:
            kind = PATH if argument.name in path else QUERY
            self._parameters.append(_Read(argument, argument.annotation, Parameter(kind, None, ())))

    def _every_body(self) -> Iterator[Body]:
        yield from self._bodies
        for _, its in self._depends:
            yield from its._every_body()

    def _arguments(self, request: ReadRequest, found: _Found) -> dict[str, Any]:
        """Without what depends on parameters that something is wrong with."""
        arguments: dict[str, Any] = {}
        for name, its in self._depends:
            call = its._call
            if call not in found.given:
                known = len(found.faults)
                given = its._arguments(request, found)
                if len(found.faults) > known:
                    continue
                found.given[call] = call(**given)
            arguments[name] = found.given[call]
        for parameter in self._parameters:
            parameter.read(_source(parameter.kind, request), arguments, found)
        for body in self._bodies:
            arguments[body.name] = request.read_body
        if self._request is not None:
            arguments[self._request] = request
        return arguments


def _source(kind: str, request: Request) -> QueryParams | Headers | Mapping[str, Any]:
    return request.query_params if kind == QUERY else request.headers if kind == HEADER else request.path_params


def _unmarked(annotation: Any) -> tuple[Any, list[Depends | Parameter]]:
    """An annotation without what says where its value is from, and that."""
    if get_origin(annotation) is not Annotated:
        return annotation, []
    marks = [each for each in annotation.__metadata__ if isinstance(each, Depends | Parameter)]
    rest = tuple(each for each in annotation.__metadata__ if not isinstance(each, Depends | Parameter))
    foreign = next((each for each in rest if _is_fastapis(each)), None)
    if foreign is not None:
        raise ValueError(f"no request is read for {foreign}: it is declared in FastAPI's words")
    base = annotation.__origin__
    return (Annotated[base, *rest] if rest else base), marks


def _is_fastapis(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "fastapi"


def _members(annotation: Any) -> list[Any]:
    """Those of a union but for None, or what is none; of each the type alone."""
    if get_origin(annotation) is Annotated:
        return _members(annotation.__origin__)
    if get_origin(annotation) not in _UNIONS:
        return [annotation]
    return [member for each in get_args(annotation) if each not in _IS_NONE for member in _members(each)]


def _is_list(member: Any, argument: Argument) -> bool:
    """Whether a parameter may be there several times. Raises ValueError for what is neither one value nor a list."""
    base = get_origin(member) or member
    if base is list:
        return True
    if isclass(base) and issubclass(base, Collection) and not issubclass(base, str):
        raise ValueError(f"a parameter that may be there several times is a list: {argument}")
    return False


def _plain(call: Callable[..., Any]) -> Callable[..., Any]:
    """`call`, if it gives what it returns. Raises ValueError for what somebody would have to await, or to go through."""
    if not any(_runs_later(each) for each in (call, _called(call))):
        return call
    raise ValueError("what is mounted, and what it depends on, is a plain function: nobody awaits it")


def _called(call: Callable[..., Any]) -> Any:
    """What is run of an object that is called."""
    return None if isclass(call) else getattr(call, "__call__", None)  # noqa: B004


def _runs_later(call: Any) -> bool:
    kinds = (iscoroutinefunction, isgeneratorfunction, isasyncgenfunction)
    return any(is_one(each) for is_one in kinds for each in (call, unwrap(call)))
