"""Which tests stay together when several processes share them: those of a file, and files that share more than code."""

from typing import Final

from xdist.scheduler import LoadScopeScheduling

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
TOGETHER: Final = (PORTS, END_TO_END, INFRA)


def share_of(nodeid: str) -> str:
    """The name of what a test is handed out with."""
    path = nodeid.partition("::")[0]
    return next((str(paths) for paths in TOGETHER if path.startswith(paths)), path)


class Shares(LoadScopeScheduling):
    """Hands out whole shares, in the order in which they were found."""

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)
