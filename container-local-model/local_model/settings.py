"""The environment, read once: every knob of the server and its default in one place."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class SettingsError(Exception):
    """A setting in the environment cannot be used; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the server was told; `None` means that it finds out for itself.

    An answer whose length nobody asked for has at most `usual_tokens`, with `None` as many as the context has room for.
    """

    model_path: Path | None
    model_url: str | None
    model_sha256: str | None
    model_name: str | None
    model_cache_dir: Path
    context_tokens: int
    usual_tokens: int | None
    threads: int
    max_queue: int
    embeddings: bool
    host: str
    port: int
    drain_timeout_s: float


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Raises SettingsError for a number that is none or out of its range, and for a switch that is neither on nor off."""
    model_path = environ.get("MODEL_PATH")
    return Settings(
        model_path=Path(model_path) if model_path else None,
        model_url=environ.get("MODEL_URL") or None,
        model_sha256=environ.get("MODEL_SHA256", "").lower() or None,
        model_name=environ.get("MODEL_NAME") or None,
        model_cache_dir=_cache_dir(environ),
        context_tokens=_whole_number(environ, "N_CTX", default=4096, low=64, high=1_048_576),
        usual_tokens=_whole_number(environ, "USUAL_TOKENS", default=0, low=0, high=1_048_576) or None,
        threads=_whole_number(environ, "N_THREADS", default=_half_the_cores(), low=1, high=512),
        max_queue=_whole_number(environ, "MAX_QUEUE", default=8, low=0, high=10_000),
        embeddings=_switch(environ, "EMBEDDINGS"),
        host=environ.get("HOST") or "127.0.0.1",
        port=_whole_number(environ, "PORT", default=8080, low=0, high=65_535),
        drain_timeout_s=_whole_number(environ, "DRAIN_TIMEOUT_S", default=25, low=0, high=3600),
    )


def _whole_number(environ: Mapping[str, str], name: str, *, default: int, low: int, high: int) -> int:
    text = environ.get(name)
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}; it must be a whole number") from None
    if not low <= number <= high:
        raise SettingsError(f"{name} is {number}; it must be from {low} to {high}")
    return number


def _switch(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name) or "off"
    if text not in ("on", "off"):
        raise SettingsError(f"{name} is {text!r}; it must be on or off")
    return text == "on"


def _cache_dir(environ: Mapping[str, str]) -> Path:
    if own := environ.get("MODEL_CACHE_DIR"):
        return Path(own)
    return Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "local-model"


def _half_the_cores() -> int:
    """llama.cpp's threads spin while they wait for each other: one that has to share its core makes all of them crawl."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // 2)
