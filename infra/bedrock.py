"""Who may ask Amazon Bedrock for what: the functions that ask providers, for the models and profiles that a setting names.

A profile sends a call to its model in one of several regions, and the caller needs leave for both: for the profile, and for the
model as long as it is asked through that profile. Source: "Prerequisites for inference profiles" of Bedrock's user guide.
"""

import re
from typing import Final

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam

from infra.deployment import BedrockModels

_ACTIONS: Final = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")
_PLACES: Final = re.compile(r"^(us|us-gov|eu|apac|jp|au|ca|global)\.(?=[a-z0-9-]+\.)")
_PROFILE: Final = re.compile(r"^arn:[^:]+:bedrock:[^:]+:\d+:(application-)?inference-profile/")
_REASON: Final = "A profile chooses the region, and is what the grant asks for."


def bedrock_statements(stack: Stack, granted: BedrockModels) -> list[iam.PolicyStatement]:
    """What a function that asks providers may do."""
    plain = [arn for model in granted.models for arn in _plain(stack, granted, model)]
    statements = [iam.PolicyStatement(sid="Bedrock", actions=list(_ACTIONS), resources=plain)]
    for number, model in enumerate(granted.models):
        behind = _model_behind(model)
        if behind is not None:
            statements.append(
                iam.PolicyStatement(
                    sid=f"BedrockProfile{number}",
                    actions=list(_ACTIONS),
                    resources=[_anywhere(stack, behind)],
                    conditions={"StringEquals": {"bedrock:InferenceProfileArn": _plain(stack, granted, model)}},
                )
            )
    return statements


def bedrock_wildcards(granted: BedrockModels) -> dict[str, str]:
    """The wildcards in the statements above, as cdk-nag names them, and why they are there."""
    behind = {name for model in granted.models if (name := _model_behind(model)) is not None}
    arns = [f"arn:<AWS::Partition>:bedrock:*::foundation-model/{name}" for name in sorted(behind)]
    return {f"AwsSolutions-IAM5[Resource::{arn}]": _REASON for arn in arns}


def _plain(stack: Stack, granted: BedrockModels, model: str) -> list[str]:
    """The ARNs of what is named itself, in each of the regions."""
    if model.startswith("arn:"):
        return [model]
    regions = granted.regions or (stack.region,)
    if _PLACES.match(model):
        return [_arn(stack, region, stack.account, "inference-profile", model) for region in regions]
    return [_arn(stack, region, "", "foundation-model", model) for region in regions]


def _model_behind(model: str) -> str | None:
    """The model that a profile leads to; of one of the account's own nobody but AWS knows it. None for what is no profile."""
    if _PROFILE.match(model):
        return "*"
    return _PLACES.sub("", model) if _PLACES.match(model) else None


def _anywhere(stack: Stack, model: str) -> str:
    return _arn(stack, "*", "", "foundation-model", model)


def _arn(stack: Stack, region: str, account: str, resource: str, name: str) -> str:
    return stack.format_arn(
        service="bedrock",
        region=region,
        account=account,
        resource=resource,
        resource_name=name,
        arn_format=ArnFormat.SLASH_RESOURCE_NAME,
    )
