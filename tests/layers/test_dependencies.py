"""What the dependencies layer leaves out, and what it must not."""

import re
from collections.abc import Iterator
from importlib import metadata
from importlib.metadata import PackagePath
from pathlib import Path

from layers.dependencies.build import LOCK, prune


def test_only_what_no_function_needs_is_left_out(tmp_path):
    kept = {
        # By these AWS is recognized.
        "botocore/cacert.pem",
        "botocore/data/dynamodb/2012-08-10/service-2.json.gz",
        "botocore/data/endpoints.json",
        "botocore/data/events/2015-10-07/service-2.json.gz",
        "botocore/data/partitions.json",
        "botocore/data/sdk-default-configuration.json",
        "boto3/data/dynamodb/2012-08-10/resources-1.json",
        "openai/types/beta/tests_are_not_here.py",
        "openai-3.54.0.dist-info/METADATA",
        "openai-3.54.0.dist-info/licenses/LICENSE",
    }
    left_out = {
        "aws_lambda_powertools/event_handler/openapi/swagger_ui/swagger-ui.min.css",
        "bin/uvicorn",
        "boto3/data/ec2/2016-11-15/resources-1.json",
        "botocore/data/dynamodb/2012-08-10/examples-1.json",
        "botocore/data/ec2/2016-11-15/service-2.json.gz",
        "openai-3.54.0.dist-info/RECORD",
        "openai-3.54.0.dist-info/INSTALLER",
        "openai-3.54.0.dist-info/sboms/openai.cyclonedx.json",
        "openai/_types.pyi",
        "pydantic/v1/main.py",
        "somewhere/tests/test_something.py",
    }
    for name in kept | left_out:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    prune(tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == kept


def _locked_modules() -> Iterator[tuple[PackagePath, str]]:
    """The modules of all packages in the layer, with their source."""
    locked = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", LOCK.read_text(), re.MULTILINE))
    for installed in metadata.distributions():
        # Some are for other systems than this one.
        if installed.name.lower().replace("_", "-") in locked:
            for file in installed.files or ():
                if file.suffix == ".py" and file.parts[0] != "..":
                    yield file, Path(str(file.locate())).read_text(errors="replace")


def test_packages_that_read_their_own_source_are_known():
    """The layer has most packages as bytecode alone: one that reads its source must be looked at, and may have to keep it."""
    reading = {file.parts[0] for file, source in _locked_modules() if "inspect.getsource" in source}
    assert reading == {
        "anyio",  # Keeps its source: its modules import what it finds there.
        "docstring_parser",  # Of what it is given, and does without.
        "fastapi",  # Of a route's function, which is the gateway's own.
        "pydantic",  # Of models that ask for it, and does without.
    }


def test_modules_that_import_the_old_pydantic_are_known():
    """It is left out: a module that imports it must do without."""
    importing = re.compile(r"^\s*(?:from pydantic import .*\bv1\b|(?:from|import) pydantic\.v1)", re.MULTILINE)
    found = {str(file) for file, source in _locked_modules() if importing.search(source)}
    assert {name for name in found if not name.startswith("pydantic/v1/")} == {
        "fastapi/_compat/shared.py",  # Where it is not there, nothing is of it.
        "pydantic/_internal/_generate_schema.py",  # For types that have its validators: none of these is asked for.
    }
