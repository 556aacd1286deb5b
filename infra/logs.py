"""Log groups, each with an end to its lines and with a name that CloudFormation gives."""

from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.deployment import Deployment


def log_of(scope: Construct, deployment: Deployment, key: kms.IKey, id_: str = "Log") -> logs.LogGroup:
    """A log group for `scope`, encrypted under `key`, which lets CloudWatch use it for this account's logs.

    Production keeps its logs when their stack is deleted. Under a name of our own, such a log would stand in the way of the
    same stack's next creation.
    """
    return logs.LogGroup(
        scope,
        id_,
        encryption_key=key,
        retention=deployment.log_retention,
        removal_policy=deployment.removal_policy,
    )
