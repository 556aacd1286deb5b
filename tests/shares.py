"""Which tests stay together when several processes share them: those of a file, and files that share more than code."""

from typing import Final

from xdist.scheduler import LoadScopeScheduling

# Its answers take minutes of a processor's time: the others go on meanwhile, on a gateway of their own.
REAL_MODEL: Final = ("tests/end_to_end/test_real_model.py",)
# They want the ports that a user's own run would have.
PORTS: Final = (
    "tests/end_to_end/test_deployed.py",
    "tests/end_to_end/test_local_run.py",
    "tests/local_aws/test_stack.py",
)
# One emulator, one gateway and one worker serve all of them.
END_TO_END: Final = ("tests/end_to_end/",)
# Templates are synthesized once for all of them.
INFRA: Final = ("tests/infra/",)
TOGETHER: Final = (REAL_MODEL, PORTS, END_TO_END, INFRA)


def share_of(nodeid: str) -> str:
    """The name of what a test is handed out with."""
    path = nodeid.partition("::")[0]
    return next((str(paths) for paths in TOGETHER if path.startswith(paths)), path)


def turn_of(nodeid: str) -> int:
    """The longest first, so that no process is left with one of them at the end."""
    share = share_of(nodeid)
    return next((turn for turn, paths in enumerate(TOGETHER) if share == str(paths)), len(TOGETHER))


class Shares(LoadScopeScheduling):
    """Hands out whole shares, in the order of their tests."""

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)
