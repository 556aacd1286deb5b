"""The CDK app: which stacks exist."""

import infra  # noqa: F401, I001 - before aws_cdk, because it chooses the Node that aws_cdk starts.
from aws_cdk import App, Tags

from infra.api import ApiStack
from infra.data import DataStack
from infra.deployment import Deployment, LocalModel, WrongSetting
from infra.local_model import LocalModelStack
from infra.monitoring import MonitoringStack
from infra.security import SecurityStack, check
from infra.worker import WorkerStack


def add_stacks(app: App) -> None:
    """Every stack of the deployment that the app's context describes."""
    deployment = Deployment.from_context(app.node)
    check(app)
    Tags.of(app).add("service", deployment.prefix)
    data = DataStack(app, deployment=deployment)
    model = None if deployment.local_model is LocalModel.OFF else LocalModelStack(app, deployment=deployment).model
    api = ApiStack(app, deployment=deployment, data=data, model=model)
    WorkerStack(app, deployment=deployment, data=data, model=model)
    MonitoringStack(app, deployment=deployment, data=data)
    if deployment.waf:
        SecurityStack(app, deployment=deployment, stage_arn=api.stage_arn)


if __name__ == "__main__":
    app = App()
    try:
        add_stacks(app)
    except WrongSetting as wrong:
        raise SystemExit(str(wrong)) from None
    app.synth()
