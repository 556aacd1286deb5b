"""docs/deployment.md: the way out of the model's network, as far as it is AWS's command line, against an emulator."""

import json
from pathlib import Path

from local_aws import stack
from local_aws.aws import LocalAws
from tests.docs.pages import blocks, client, page, run_with_aws, typed, with_a_shell, zipped

NETWORK = {
    "Resources": {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "Subnet": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24"},
        },
    },
    "Outputs": {"Vpc": {"Value": {"Ref": "Vpc"}}, "Subnet": {"Value": {"Ref": "Subnet"}}},
}
NAME = "llm-gateway-dev-run_query"


@with_a_shell
def test_versions_that_are_in_the_network_are_deleted_and_no_others(aws: LocalAws, tmp_path: Path) -> None:
    outputs = stack.deploy(aws, "llm-gateway-dev-local-model", NETWORK)
    functions = client(aws, "lambda")
    network = {"SubnetIds": [outputs["Subnet"]], "SecurityGroupIds": []}
    functions.create_function(
        FunctionName=NAME,
        Code={"ZipFile": zipped("")},
        Runtime="python3.13",
        Handler="main.handler",
        Role="arn:aws:iam::000000000000:role/any",
    )
    assert functions.publish_version(FunctionName=NAME)["Version"] == "1"
    functions.update_function_configuration(FunctionName=NAME, VpcConfig=network)
    assert functions.publish_version(FunctionName=NAME)["VpcConfig"]["VpcId"] == outputs["Vpc"]
    functions.update_function_configuration(FunctionName=NAME, VpcConfig={"SubnetIds": [], "SecurityGroupIds": []})
    functions.update_function_code(FunctionName=NAME, ZipFile=zipped("# newer"))
    assert functions.publish_version(FunctionName=NAME)["Version"] == "3"

    way_out = page("deployment").partition("### To give up a model of your own")[2]
    _, leave, delete, wait, *_ = map(typed, blocks(way_out, "console"))
    script = "\n".join(line for line in f"{leave}{delete}{wait}".splitlines() if not line.startswith("cdk "))
    said = run_with_aws(script, aws=aws, folder=tmp_path)
    left = functions.list_versions_by_function(FunctionName=NAME)["Versions"]
    assert [version["Version"] for version in left] == ["$LATEST", "1", "3"]
    # None is in the network any more.
    assert json.loads(said[-1]) == 0
