"""The CDK app: which stacks exist."""

import infra  # noqa: F401, I001 - before aws_cdk, because it chooses the Node that aws_cdk starts, and where the table is.
from collections.abc import Mapping, Sequence

from aws_cdk import App, Tags
from llm_gateway.access import Area, Endpoint
from llm_gateway.endpoints import AREAS, WORKERS

from infra.api import ApiStack
from infra.area import AreaStack
from infra.data import DataStack
from infra.deployment import Deployment, LocalModel, WrongSetting
from infra.local_model import LocalModelStack
from infra.monitoring import MonitoringStack
from infra.security import check
from infra.table import UndeployableTable, check_table
from infra.worker import WorkerStack


def add_stacks(app: App, areas: Mapping[Area, Sequence[Endpoint]] = AREAS) -> None:
    """Every stack of the deployment that the app's context describes. Raises WrongSetting and UndeployableTable."""
    endpoints = [row for rows in areas.values() for row in rows]
    check_table([*endpoints, *WORKERS])
    deployment = Deployment.from_context(app.node)
    check(app)
    Tags.of(app).add("service", deployment.prefix)
    data = DataStack(app, deployment=deployment)
    model = (
        LocalModelStack(app, deployment=deployment, key=data.key).model
        if deployment.local_model in (LocalModel.LAMBDA, LocalModel.FARGATE)
        else None
    )
    functions = [
        AreaStack(app, area=area, rows=rows, deployment=deployment, data=data, model=model)
        for area, rows in areas.items()
    ]
    api = ApiStack(app, endpoints=endpoints, deployment=deployment, key=data.key)
    for stack in functions:
        # First, so that no route leads to a function that is still to come.
        api.add_stack_dependency(stack)
    WorkerStack(app, deployment=deployment, data=data, model=model)
    MonitoringStack(app, deployment=deployment, data=data)


if __name__ == "__main__":
    app = App()
    try:
        add_stacks(app)
    except (WrongSetting, UndeployableTable) as wrong:
        raise SystemExit(str(wrong)) from None
    app.synth()
