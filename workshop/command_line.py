"""`.venv/bin/llm-gateway`: the client's command line out of this clone, as if its distribution were installed."""

from typing import Final

from workshop.places import ROOT, VENV_BIN, VENV_PYTHON

CLIENT: Final = ROOT / "clients" / "python"
SCRIPT: Final = VENV_BIN / "llm-gateway"


def link() -> None:
    """Write the script, where it is not there or leads elsewhere."""
    text = f"""#!{VENV_PYTHON}
import sys

sys.path.insert(0, {str(CLIENT)!r})
from llm_gateway_client.cli.__main__ import run

run()
"""
    if not SCRIPT.exists() or SCRIPT.read_text() != text:
        SCRIPT.write_text(text)
        SCRIPT.chmod(0o755)
