"""The CDK app: what CloudFormation is asked for. Nothing is deployed and no layer is built."""

import infra  # noqa: F401 - before aws_cdk, because it chooses the Node that aws_cdk starts.
