"""AWS's command line as far as docs/ uses it: its options are botocore's parameters, so a name that AWS lacks is an error."""

import json
import sys
from typing import Any

import boto3
import jmespath
from botocore import xform_name
from botocore.model import ListShape, Shape, StructureShape


def main(words: list[str]) -> None:
    """`aws SERVICE OPERATION --name value …`, with `--query` and `--output`, against `AWS_ENDPOINT_URL`."""
    service, operation, *rest = words
    client: Any = boto3.client(service)  # type: ignore[call-overload]
    if operation == "wait":
        waiter = client.get_waiter(rest[0].replace("-", "_"))
        asked = client.meta.method_to_api_mapping[xform_name(waiter.config.operation)]
        waiter.wait(**_parameters(client, asked, _options(rest[1:])))
        return
    given, method = _options(rest), operation.replace("-", "_")
    query, output = given.pop("query", ["@"])[0], given.pop("output", ["json"])[0]
    parameters = _parameters(client, client.meta.method_to_api_mapping[method], given)
    if client.can_paginate(method):
        answer = client.get_paginator(method).paginate(**parameters).build_full_result()
    else:
        answer = getattr(client, method)(**parameters)
        answer.pop("ResponseMetadata")
    found = jmespath.search(query, answer)
    sys.stdout.write((_text(found) if output == "text" else json.dumps(found, default=str)) + "\n")


def _parameters(client: Any, operation: str, given: dict[str, list[str]]) -> dict[str, Any]:
    members = client.meta.service_model.operation_model(operation).input_shape.members
    names = {xform_name(name, "-"): name for name in members}
    return {names[option]: _value(members[names[option]], texts) for option, texts in given.items()}


def _options(words: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            found[name := word.removeprefix("--")] = []
        else:
            found[name].append(word)
    return found


def _value(shape: Shape, texts: list[str]) -> Any:
    match shape:
        case ListShape():
            return [_value(shape.member, [text]) for text in texts]
        case StructureShape():
            pairs = dict(text.split("=", 1) for text in texts[0].split(","))
            return {name: _value(shape.members[name], [text]) for name, text in pairs.items()}
        case _ if shape.type_name == "map":
            return json.loads(texts[0])
        case _:
            return texts[0]


def _text(found: Any) -> str:
    if not isinstance(found, list):
        return str(found)
    if any(isinstance(each, list) for each in found):
        return "\n".join(map(_text, found))
    return "\t".join(map(str, found))


if __name__ == "__main__":
    main(sys.argv[1:])
