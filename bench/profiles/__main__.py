"""`python -m bench.profiles`: where the interpreter's time goes in a Lambda, the local server and the worker, by sampling them
from outside; and how many calls and how much memory a plain query takes.

Flame graphs and the samples themselves are in .cache/profile.
"""

import argparse
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

from bench.profiles.recorder import FOLDER, record
from bench.profiles.stacks import Profile, profile_of
from bench.profiles.subjects import SUBJECTS
from bench.told import told_by
from workshop.places import ROOT
from workshop.steps import Failure

_LEAST_SHARE: Final = 0.005
_WIDTH: Final = 92


def main() -> int:
    """Profile what the arguments name."""
    parser = argparse.ArgumentParser(prog="bench.profiles", description=__doc__)
    parser.add_argument("--seconds", type=float, default=12.0, help="how long each is sampled")
    parser.add_argument("--top", type=int, default=20, help="how many areas and functions are shown")
    parser.add_argument("subjects", nargs="*", help=f"{', '.join(SUBJECTS)}, query; all unless named")
    arguments = parser.parse_args()
    # Ended from outside, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    chosen = arguments.subjects or [*SUBJECTS, "query"]
    if unknown := set(chosen) - {*SUBJECTS, "query"}:
        parser.error(f"no such subject: {', '.join(sorted(unknown))}")
    failed = False
    for name in chosen:
        try:
            _show_query() if name == "query" else _show(name, seconds=arguments.seconds, top=arguments.top)
        except Failure as failure:
            failed = True
            print(f"\n{name} was not profiled. {failure}", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            return 130
    return 1 if failed else 0


def _show(name: str, *, seconds: float, top: int) -> None:
    subject = SUBJECTS[name]
    print(f"\n{name}: {subject.__doc__}", flush=True)
    with tempfile.TemporaryDirectory(prefix="llm-gateway-profile-") as folder, subject(Path(folder)) as busy:
        profile = profile_of(record(name, busy.pid, busy.busy, seconds=seconds).splitlines())
    if not profile.samples:
        raise Failure("It never held the interpreter while it was looked at.")
    print(
        f"{profile.samples:,} samples in which it held the interpreter; flame graph: {(FOLDER / name).relative_to(ROOT)}.svg\n"
    )
    _table("by area", profile, profile.areas, profile.areas_with_called, by=profile.areas, top=top)
    itself, with_called = profile.functions, profile.functions_with_called
    _table("by function", profile, itself, with_called, by=itself, top=top)
    own = Counter({frame: count for frame, count in with_called.items() if frame.area.startswith("llm_gateway")})
    _table("the gateway's functions, by all they call", profile, itself, with_called, by=own, top=top)


def _table(
    title: str, profile: Profile, itself: Counter[Any], with_called: Counter[Any], *, by: Counter[Any], top: int
) -> None:
    """The `top` of `by`, in its order."""
    print(f"{title:<{_WIDTH}}{'itself':>9}{'with all it calls':>19}")
    for key, count in by.most_common(top):
        if profile.share(count) >= _LEAST_SHARE:
            shares = f"{profile.share(itself[key]):9.1%}{profile.share(with_called[key]):19.1%}"
            print(f"  {str(key)[: _WIDTH - 2]:<{_WIDTH - 2}}{shares}")
    print()


def _show_query() -> None:
    # What is said before is the gateway's log.
    *_, trace = told_by("tests.query_trace")
    *_, memory = told_by("tests.query_memory")
    print("\nquery: a plain query over the tests' stores in memory")
    print(f"{trace['calls']} calls of {trace['functions']} functions of the product in {trace['files']} files")
    print(
        f"{memory['peak_bytes'] / 1000:.1f} kB at most while it is answered, {memory['blocks']:.0f} blocks of memory at once"
    )
    print(f"{memory['kept_bytes']:.0f} bytes kept of each query by the stores and everything else; most of them at")
    for place in memory["kept_at"]:
        print(f"  {place['bytes']:8.0f}  {place['place']}")


sys.exit(main())
