"""`python -m bench.endurance`: a hundred callers in a closed loop, with every kind of query, while providers fail in one call of
twenty, a worker is killed and the emulator stalls. Prints what was sent, answered, refused and lost, and what grew.

It fails where a query was lost or paid twice, where usage does not agree with what is stored, where more than one query of a
thousand ended in an error of the gateway's own, and where what serves grew over the second half of a long run.
"""

import argparse
import signal
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench import processor
from bench.endurance.findings import Findings, found, grown, growth_found
from bench.endurance.ordeal import Ordeal, Sample, Size
from bench.endurance.stage import staged
from bench.endurance.traffic import End, Kind
from bench.figures import percentile
from workshop.steps import Failure

_ROWS: Final = 12


def main() -> int:
    """Ask what the arguments say."""
    arguments = _arguments()
    # Ended from outside, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if not processor.is_accounted():
        print("Not measured: this system does not tell what a process takes, as Linux does in /proc.", file=sys.stderr)
        return 1
    size = Size(
        callers=arguments.callers,
        queries=arguments.queries,
        seconds=arguments.seconds,
        stall_s=arguments.stall,
        sample_every_s=min(5.0, arguments.seconds / _ROWS),
    )
    try:
        with tempfile.TemporaryDirectory(prefix="llm-gateway-load-") as folder:
            return _run(Path(folder), size, arguments)
    except Failure as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(scratch: Path, size: Size, arguments: argparse.Namespace) -> int:
    share = arguments.faults / 100
    with staged(
        scratch,
        processes=arguments.processes,
        delay_ms=arguments.delay,
        fault_share=share,
        lease_s=arguments.lease,
    ) as stage:
        print(
            f"{size.callers} callers, {size.queries:,} queries or {size.seconds:g} s, provider after {arguments.delay:g} ms,"
            f" {share:.0%} of its calls fail, {arguments.processes} processes, {len(stage.workers)} workers",
            flush=True,
        )
        ordeal = Ordeal(stage=stage, size=size, say=lambda text: print(f"  {text}", flush=True))
        traffic = ordeal.run()
        findings = found(traffic.told, api=stage.api, provider_port=stage.provider_port, killed_at_s=ordeal.killed_at_s)
    _show_ends(findings, ordeal.duration_s)
    _show_samples(ordeal.samples)
    wrong = [*findings.faults_found(), *growth_found(ordeal.samples)]
    print(*("", *(wrong or ["Nothing lost, nothing paid twice, and usage agrees."])), sep="\n")
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.endurance", description=__doc__)
    parser.add_argument("--callers", type=int, default=100)
    parser.add_argument("--queries", type=int, default=20_000)
    parser.add_argument(
        "--seconds", type=float, default=420.0, help="ends it where the queries are not all asked by then"
    )
    parser.add_argument("--processes", type=int, default=4, help="how many serve")
    parser.add_argument("--delay", type=float, default=60.0, help="how many ms the provider takes")
    parser.add_argument("--faults", type=float, default=5.0, help="how many of a hundred of its calls fail")
    parser.add_argument(
        "--lease", type=int, default=10, help="seconds after which a killed worker's queries are taken up"
    )
    parser.add_argument("--stall", type=float, default=2.0, help="how many seconds the emulator stalls")
    return parser.parse_args()


def _show_ends(findings: Findings, duration_s: float) -> None:
    told, ends = findings.told, findings.ends
    print(f"\n{len(told):,} sent in {duration_s:.0f} s, {len(told) / duration_s:.0f} a second")
    print(*(f"{ends[end]:>8,}  {end.value}" for end in End), sep="\n")
    print(f"{len(findings.lost):>8,}  without an end in what is stored ({findings.stored:,} queries)")
    print(f"{len(findings.paid_twice):>8,}  paid twice")
    print(f"{len(findings.paid_again):>8,}  asked again, because a worker died with the answer")
    print(
        f"{sum(findings.faults.values()):>8,}  calls that the provider failed: {dict(sorted(findings.faults.items()))}"
    )
    details = Counter(each.detail for each in told if each.end in (End.OWN, End.PROVIDER, End.LOST))
    for detail, count in details.most_common(8):
        print(f"{count:>8,}  {detail}")
    print(f"\n{'ms until the answer':<24}{'asked':>9}{'answered':>10}{'median':>9}{'p95':>9}{'longest':>9}")
    for kind in Kind:
        took_ms = sorted(
            (each.ended_s - each.began_s) * 1000 for each in told if each.kind is kind and each.end is End.ANSWERED
        )
        asked = sum(each.kind is kind for each in told)
        shown = (statistics.median(took_ms), percentile(took_ms, 95), took_ms[-1]) if took_ms else ()
        print(f"{kind.value:<24}{asked:>9,}{len(took_ms):>10,}" + "".join(f"{figure:>9,.0f}" for figure in shown))


def _show_samples(samples: Sequence[Sample]) -> None:
    print(f"\n{'':>26}{'all that serve':^40}{'workers':^20}{'emulator':>10}")
    head = ("s", "ended", "", "MB", "threads", "sockets", "files", "MB", "threads", "MB")
    print("".join(f"{name:>10}" if name else " " * 6 for name in head))
    every = max(1, -(-len(samples) // _ROWS))
    for sample in [*samples[:-1:every], samples[-1]]:
        server, workers = sample.server, sample.workers
        print(
            f"{sample.at_s:10.0f}{sample.ended:10,}{'':6}{server.memory_mb:10.0f}{server.threads:10}{server.sockets:10}"
            f"{server.files:10}{workers.memory_mb:10.0f}{workers.threads:10}{sample.emulator.memory_mb:10.0f}"
        )
    half_mb, whole_mb = grown(samples)
    print(f"over the second half of the queries those that serve grew by {whole_mb - half_mb:.1f} MB")


sys.exit(main())
