"""The local model's image, built by buildah without a daemon, and run from its files as Lambda and as Docker would run it."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local_aws.model import READY
from tests.adapters.ministack import free_port
from workshop import fingerprint, interpreters
from workshop.places import MODEL_SERVER

PYTHON: Final = "3.13"
START_TIMEOUT_S: Final = 180
PULL_TIMEOUT_S: Final = 60
# Outside the clone, so that the next clone finds what is the same in it.
STORE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llm-gateway" / "containers"
# What CPython's modules link to.
LIBRARIES: Final = (
    *("ca-certificates", "libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libncursesw6", "libreadline8"),
    *("libsqlite3-0", "libssl3", "libuuid1", "netbase", "zlib1g"),
)
CERTIFICATES: Final = Path("/etc/ssl/certs")
PIP_SETTINGS: Final = frozenset({"cert", "default-timeout", "index-url", "timeout", "trusted-host"})
# A program that cannot run: the base's build has none, and nothing here starts it.
NO_ADAPTER: Final = "#!/bin/sh\necho 'not the Lambda Web Adapter' >&2\nexit 1\n"


class NotHere(Exception):
    """What it takes to build the image is missing; its text says what."""


class Failed(Exception):
    """buildah ended with an error; its text is what it said last."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """A built image: its files in a directory of this machine, and what it says about itself."""

    files: Path
    config: Mapping[str, Any]
    stood_in: Sequence[str]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the image sets."""
        pairs = (pair.partition("=") for pair in self.config["Env"])
        return {name: value for name, _, value in pairs}

    @contextmanager
    def running(self, folder: Path, *, uid: int, read_only: bool, environment: Mapping[str, str]) -> Iterator[str]:
        """The server's address: the image's own command, in its files, as the user `uid`; /tmp is empty and its own."""
        port, log = free_port(), folder / "image.log"
        told = self.environment | {"PORT": str(port), "HOST": "127.0.0.1", **environment}
        root = shlex.quote(str(self.files))
        remount = f"mount -o remount,bind,ro {root}" if read_only else ":"
        prepared = f"mount --bind {root} {root} && {remount} && mount -t tmpfs none {root}/tmp && mount -t proc none {root}/proc"
        entered = ["chroot", f"--userspec={uid}:{uid}", str(self.files), "env", "-i"]
        command = shlex.join([*entered, *(f"{name}={value}" for name, value in told.items()), *self.config["Cmd"]])
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", f"{prepared} && exec {command}"], stdout=output, stderr=output
            )
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while not (ready := READY.findall(log.read_text(errors="replace"))):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield str(ready[0])
        finally:
            process.terminate()
            process.wait()


def missing() -> str | None:
    """What this machine lacks to build the image and to run it; None where it has all."""
    for tool in ("buildah", "unshare", "chroot"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (Debian and Ubuntu: apt-get install buildah mmdebstrap)"
    return None if os.geteuid() == 0 else "its files belong to several users: it takes root"


@contextmanager
def built_image() -> Iterator[Image]:
    """The image, built anew where its folder has changed since the last time. Raises NotHere without what it is built on."""
    if reason := missing():
        raise NotHere(reason)
    STORE.mkdir(parents=True, exist_ok=True)
    stood_in = _bases()
    name = f"local-model:{fingerprint.fingerprint(MODEL_SERVER, json.dumps(stood_in))[:16]}"
    if not _is_there(name):
        _build(name)
    container = _buildah("from", "--pull-never", name)
    try:
        config = json.loads(_buildah("inspect", "--type", "image", name))["OCIv1"]["config"]
        yield Image(files=Path(_buildah("mount", container)), config=config, stood_in=stood_in)
    finally:
        _buildah("umount", container)
        _buildah("rm", container)


def _build(name: str) -> None:
    volumes = [f"--volume={CERTIFICATES}:{CERTIFICATES}:ro"] if CERTIFICATES.is_dir() else []
    settings = STORE / "pip.conf"
    settings.write_text(_pip_settings())
    volumes.append(f"--volume={settings}:/etc/pip.conf:ro")
    _buildah("bud", "--isolation=chroot", "--pull-never", *volumes, "--tag", name, str(MODEL_SERVER))


def _pip_settings() -> str:
    """Where packages come from is this machine's own setting, inside the build as outside."""
    listed = subprocess.check_output([sys.executable, "-m", "pip", "config", "list"], text=True).splitlines()
    settings = [
        line.rpartition("=")[0].rpartition(".")[2] + " = " + line.rpartition("=")[2].strip("'") for line in listed
    ]
    kept = {setting for setting in settings if setting.partition(" ")[0] in PIP_SETTINGS}
    return "\n".join(["[global]", *sorted(kept), ""])


def _bases() -> list[str]:
    """Have every image that the Dockerfile begins with; those that no registry gives are made here, and named in the answer."""
    made = []
    for name, make in ((_named("PYTHON_IMAGE"), _make_python), (_adapter(), _make_adapter)):
        if not _is_there(name) and not _pulled(name):
            make(name)
        if "stood-in" in _buildah("inspect", "--type", "image", "--format", "{{.OCIv1.Config.Labels}}", name):
            made.append(name)
    return made


def _named(argument: str) -> str:
    dockerfile = (MODEL_SERVER / "Dockerfile").read_text().splitlines()
    return next(line.partition("=")[2] for line in dockerfile if line.startswith(f"ARG {argument}="))


def _adapter() -> str:
    return f"public.ecr.aws/awsguru/aws-lambda-adapter:{_named('LAMBDA_ADAPTER_VERSION')}"


def _pulled(name: str) -> bool:
    try:
        _buildah("pull", "--quiet", name, timeout_s=PULL_TIMEOUT_S)
    except (Failed, subprocess.TimeoutExpired):
        return False
    return True


def _make_python(name: str) -> None:
    """Debian with the Python of this machine in /usr/local, where the official image has it."""
    python = interpreters.find(PYTHON)
    if python is None:
        raise NotHere(
            f"no registry is within reach, and there is no Python {PYTHON} on this machine to put in the image"
        )
    prefix = Path(subprocess.check_output([python, "-c", "import sys; print(sys.base_prefix)"], text=True).strip())
    if prefix in (Path("/usr"), Path("/usr/local")):
        raise NotHere(f"no registry is within reach, and the Python {PYTHON} of this machine is a part of its system")
    if shutil.which("mmdebstrap") is None:
        raise NotHere("no registry is within reach, and mmdebstrap is not installed, which makes a Debian")
    root = STORE / "debian.tar"
    with_libraries = f"--include={','.join(LIBRARIES)}"
    subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", with_libraries, "bookworm", root], check=True)
    installed = STORE / "python.tar"
    _pack(prefix, installed)
    _commit(name, root, installed, then=["ldconfig"])
    root.unlink()
    installed.unlink()


def _pack(prefix: Path, archive: Path) -> None:
    library = f"lib/python{PYTHON}"
    unwanted = (f"{library}/test", f"{library}/idlelib", f"{library}/lib2to3", f"{library}/tkinter")

    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        inside = member.name.removeprefix("usr/local/")
        packages = inside.removeprefix(f"{library}/site-packages/")
        foreign = packages != inside and not packages.startswith("pip")
        return None if inside.startswith(unwanted) or foreign or "__pycache__" in inside else member

    with tarfile.open(archive, "w") as packed:
        shared = [f"lib/{path.name}" for path in prefix.glob("lib/libpython*.so*")]
        for inside in (library, f"include/python{PYTHON}", f"bin/python{PYTHON}", *shared):
            packed.add(prefix / inside, f"usr/local/{inside}", filter=kept)
        for link in ("python", "python3"):
            member = tarfile.TarInfo(f"usr/local/bin/{link}")
            member.type, member.linkname = tarfile.SYMTYPE, f"python{PYTHON}"
            packed.addfile(member)
    script = archive.with_name("pip")
    script.write_text('#!/bin/sh\nexec /usr/local/bin/python -m pip "$@"\n')
    script.chmod(0o755)
    with tarfile.open(archive, "a") as packed:
        packed.add(script, "usr/local/bin/pip")


def _make_adapter(name: str) -> None:
    program = STORE / "lambda-adapter"
    program.write_text(NO_ADAPTER)
    program.chmod(0o755)
    _commit(name, program)


def _commit(name: str, *added: Path, then: Sequence[str] = ()) -> None:
    container = _buildah("from", "scratch")
    for path in added:
        _buildah("add", container, str(path), "/")
    if then:
        _buildah("run", "--isolation=chroot", container, "--", *then)
    _buildah(
        "config", "--label", "stood-in=yes", "--env", "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", container
    )
    _buildah("commit", "--quiet", "--rm", container, name)


def _is_there(name: str) -> bool:
    return bool(_buildah("images", "--quiet", "--filter", f"reference={name}"))


def _buildah(*words: str, timeout_s: float | None = None) -> str:
    """What buildah prints, with a store of its own: names in it are nobody else's."""
    store = ["--root", str(STORE / "store"), "--runroot", str(STORE / "run"), "--storage-driver", "vfs"]
    ended = subprocess.run(["buildah", *store, *words], capture_output=True, text=True, timeout=timeout_s, check=False)
    if ended.returncode != 0:
        raise Failed(f"buildah {words[0]} ended with status {ended.returncode}: {ended.stderr[-4000:]}")
    return ended.stdout.strip()


def answer_of(address: str, question: str) -> str:
    """What the model says."""
    body = {"model": "SmolLM2-135M-Instruct", "max_tokens": 40, "temperature": 0}
    body["messages"] = [{"role": "user", "content": question}]
    request = urllib.request.Request(
        f"{address}/v1/chat/completions", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        return str(json.load(response)["choices"][0]["message"]["content"])
