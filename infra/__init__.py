"""The CDK constructs and stacks. What a function may do, how large it is and where it listens comes from the endpoint table."""

import os
import sys
from pathlib import Path

from layers.tools import tool

# jsii starts Node when aws_cdk is first imported, so this must come before anything imports it.
os.environ.setdefault("JSII_NODE", tool("node"))
# The table is in the package that the functions get as a layer; it is not installed beside this app.
_PACKAGE = str(Path(__file__).resolve().parents[1] / "layers" / "gateway" / "python")
if _PACKAGE not in sys.path:
    sys.path.append(_PACKAGE)
