"""What the dependencies layer leaves out, and what it must not."""

from layers.dependencies.build import prune


def test_only_what_no_function_needs_is_left_out(tmp_path):
    kept = {
        "botocore/data/dynamodb/2012-08-10/service-2.json.gz",
        "botocore/data/endpoints.json",
        "botocore/data/events/2015-10-07/service-2.json.gz",
        "botocore/data/partitions.json",
        "botocore/data/sdk-default-configuration.json",
        "openai/types/beta/tests_are_not_here.py",
        "openai-3.54.0.dist-info/METADATA",
        "openai-3.54.0.dist-info/licenses/LICENSE",
    }
    left_out = {
        "bin/uvicorn",
        "botocore/data/ec2/2016-11-15/service-2.json.gz",
        "openai-3.54.0.dist-info/RECORD",
        "openai-3.54.0.dist-info/INSTALLER",
        "somewhere/tests/test_something.py",
    }
    for name in kept | left_out:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    prune(tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == kept
