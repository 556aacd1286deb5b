"""What CloudFormation would do to things with a state when one template takes the place of another."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.infra.deployments import Resource

# What holds what nobody can make again, or what callers have the address of.
STATEFUL = frozenset(
    {
        *("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SecretsManager::Secret"),
        *("AWS::SQS::Queue", "AWS::Events::EventBus", "AWS::ApiGateway::RestApi"),
    }
)


def losses(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What a deployment would remove, replace, or refuse in its midst, of what has a state; each with the reason."""
    return [loss for id_, old in _stateful(before).items() for loss in _losses(id_, old, after["Resources"].get(id_))]


def _stateful(template: Mapping[str, Any]) -> dict[str, Resource]:
    return {id_: resource for id_, resource in template["Resources"].items() if resource["Type"] in STATEFUL}


def _losses(id_: str, old: Resource, new: Resource | None) -> Iterator[str]:
    if new is None:
        yield f"{id_} would be removed, or made anew under another logical id"
        return
    if new["Type"] != old["Type"]:
        yield f"{id_} would become {new['Type']}"
        return
    was, is_ = old.get("Properties", {}), new.get("Properties", {})
    for name in _fixed(old["Type"]):
        if was.get(name) != is_.get(name):
            yield f"{id_} would be replaced: {name} cannot change"
    if len(_indexes(was) ^ _indexes(is_)) > 1:
        yield f"{id_} would have several changes of its indexes: DynamoDB takes one in a deployment"
    if _is_kept(old) and not _is_kept(new):
        yield f"{id_} would not outlive its stack any more"


def _fixed(type_: str) -> list[str]:
    """The properties whose change is a replacement, as the resource's own schema says."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_).schema
    paths = [*schema.get("createOnlyProperties", ()), *schema.get("conditionalCreateOnlyProperties", ())]
    return [path.removeprefix("/properties/").partition("/")[0] for path in paths]


def _indexes(properties: Mapping[str, Any]) -> set[str]:
    """A change of one is its removal and another's creation."""
    return {repr(index) for index in properties.get("GlobalSecondaryIndexes", ())}


def _is_kept(resource: Resource) -> bool:
    return str(resource.get("DeletionPolicy", "Delete")).startswith("Retain")
