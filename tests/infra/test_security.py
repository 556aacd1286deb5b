"""The rules that synth checks, and the limit by address."""

import json

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3

from infra.security import check
from tests.infra.deployments import BEDROCK, HEAVIEST, OWN_MODELS, UNUSUAL, deployed

DEPLOYMENTS = [{}, {"stage": "prod"}, UNUSUAL, HEAVIEST, BEDROCK, OWN_MODELS]


@pytest.mark.parametrize("settings", DEPLOYMENTS, ids=str)
@pytest.mark.holds("API8")
def test_every_finding_is_mended_or_acknowledged(settings):
    assert deployed(**settings).report["pluginReports"] == []


def test_a_finding_without_a_reason_stops_synth(tmp_path):
    app = App(outdir=str(tmp_path))
    check(app)
    s3.Bucket(Stack(app, "Careless"), "Bucket")
    with pytest.raises(RuntimeError, match="AwsSolutions-S1"):
        app.synth()


@pytest.mark.holds("API4", "STRIDE-D")
def test_an_address_that_floods_is_blocked_where_that_is_wanted():
    security = deployed(**HEAVIEST).api
    (acl,) = security.properties("AWS::WAFv2::WebACL")
    (rule,) = acl["Rules"]
    assert rule["Action"] == {"Block": {}}
    assert rule["Statement"]["RateBasedStatement"]["AggregateKeyType"] == "IP"
    (association,) = security.properties("AWS::WAFv2::WebACLAssociation")
    assert "/stages/" in json.dumps(association["ResourceArn"])
    assert not deployed().api.of_type("AWS::WAFv2::WebACL")
