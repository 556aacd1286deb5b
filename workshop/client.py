"""`python -m workshop.client`: writes what the Python client's distribution takes from elsewhere.

Its types come from the gateway's `openapi.json`, and its synchronous half from the asynchronous one.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from workshop.client_models import answer_types, request_types
from workshop.places import ROOT, VENV_BIN

OPENAPI: Final = ROOT / "layers/gateway/python/llm_gateway/wire/openapi.json"
PACKAGE: Final = ROOT / "clients/python/llm_gateway_client"
ASYNCHRONOUS: Final = PACKAGE / "asynchronous"
SYNCHRONOUS: Final = PACKAGE / "synchronous"
_RUFF: Final = VENV_BIN / "ruff"
_WRITTEN: Final = "# Written by `make openapi` from the asynchronous module of the same name; do not edit.\n"
# In this order: each is a pattern and what stands for it where nobody awaits.
_TWINS: Final = (
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bimport asyncio\b", "import time"),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"\bAsync(?=[A-Z])", ""),
    (r"__a(enter|exit|iter|next)__", r"__\1__"),
    (r"\ba(close|read|iter_bytes)\b", r"\1"),
    (r"\basynchronous\b", "synchronous"),
    (r"\bAn synchronous\b", "A synchronous"),
)


def generated() -> Iterator[tuple[Path, str]]:
    """Every file that is written, and what belongs into it."""
    document = json.loads(OPENAPI.read_text(encoding="utf-8"))
    written = {PACKAGE / "requests.py": request_types(document), PACKAGE / "answers.py": answer_types(document)}
    for module in sorted(ASYNCHRONOUS.glob("*.py")):
        written[SYNCHRONOUS / module.name] = _WRITTEN + twin(module.read_text(encoding="utf-8"))
    for path, source in written.items():
        yield path, formatted(source, path=path)


def twin(source: str) -> str:
    """The same without waiting for anything."""
    for pattern, stands_for in _TWINS:
        source = re.sub(pattern, stands_for, source)
    return source


def formatted(source: str, *, path: Path) -> str:
    """`source` as the formatter and the sorter of imports leave what is at `path`."""
    for verb in (("check", "--select", "I", "--fix-only"), ("format",)):
        command = [_RUFF, *verb, "--quiet", "--stdin-filename", path, "-"]
        source = subprocess.run(command, input=source, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return source


def main() -> int:
    """Write every file anew, but for those that are as they should be."""
    for path, text in generated():
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
