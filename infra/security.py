"""Check every stack against the AwsSolutions rules at synth, and stand a rate limit in front of the API where that is wanted."""

from aws_cdk import Acknowledgment, App, Validations
from aws_cdk import aws_wafv2 as waf
from cdk_nag import AwsSolutionsChecks
from constructs import Construct, IConstruct

from infra.deployment import Deployment

# Requests from one address in five minutes, the shortest time in which WAF's own default counts.
_REQUESTS_PER_ADDRESS = 2000
_WINDOW_S = 300


def check(app: App) -> None:
    """Let synth fail on every finding that no construct below acknowledges with a reason."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def acknowledge(construct: IConstruct, reasons: dict[str, str]) -> None:
    """Accept findings on `construct` and what is in it: rule (or `rule[finding]`) to the reason why it is right here."""
    Validations.of(construct).acknowledge(*(Acknowledgment(id=id_, reason=text) for id_, text in reasons.items()))


def managed_policy_finding(policy: str) -> str:
    """How cdk-nag names the finding that a role has AWS's own `policy`."""
    return f"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{policy}]"


class WebAcl(Construct):
    """A web ACL whose one rule blocks an address that floods the API; the API answers such requests with 429.

    It is in the API's own stack, so that switching it off deletes it, and with it what it costs.
    """

    def __init__(self, scope: Construct, *, deployment: Deployment, stage_arn: str) -> None:
        super().__init__(scope, "WebAcl")
        visibility = waf.CfnWebACL.VisibilityConfigProperty(
            cloud_watch_metrics_enabled=True, metric_name=f"{deployment.prefix}-floods", sampled_requests_enabled=False
        )
        acl = waf.CfnWebACL(
            self,
            "Acl",
            scope="REGIONAL",
            default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=visibility,
            rules=[
                waf.CfnWebACL.RuleProperty(
                    name="floods",
                    priority=0,
                    action=waf.CfnWebACL.RuleActionProperty(block={}),
                    statement=waf.CfnWebACL.StatementProperty(
                        rate_based_statement=waf.CfnWebACL.RateBasedStatementProperty(
                            aggregate_key_type="IP", limit=_REQUESTS_PER_ADDRESS, evaluation_window_sec=_WINDOW_S
                        )
                    ),
                    visibility_config=visibility,
                )
            ],
        )
        waf.CfnWebACLAssociation(self, "OnTheApi", resource_arn=stage_arn, web_acl_arn=acl.attr_arn)
