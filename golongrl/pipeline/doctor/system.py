"""The machine under golongrl: interpreter, C library, processors, memory, disk, GPUs."""

import ctypes
import os
import platform
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from golongrl.core import machine
from golongrl.core.cache import cache_folder
from golongrl.pipeline.doctor.findings import Finding

GROUP = "machine"
GIB = 1 << 30

SUPPORTED = ((3, 11), (3, 13))
"""Python from, and below."""
GLIBC = (2, 28)
"""Oldest C library that the pinned torch, ray and pyarrow wheels (manylinux_2_28) load on."""
GLIBC_SGLANG = (2, 34)
"""What newer SGLang wheels ask for; on older systems a resolver takes an older SGLang without a word."""
MEMORY = {"train": 5 * GIB, "eval": 1 * GIB, "build": 1 * GIB}
"""Least memory, above what small real pieces of work were seen to take: 4.1 GiB for train --preset cpu-smoke (Ray and
verl, whatever the model), 0.6 GiB for 1,000 prompts of 4 MB, 0.3 GiB for a build over 200 documents."""
DISK = {"train": 5 * GIB, "eval": 1 * GIB, "build": 1 * GIB}
SHARED_MEMORY = 1 * GIB
"""Ray keeps its objects in /dev/shm, and in slow files where that is small (64 MB by default in Docker)."""
OPEN_FILES = 4096
"""What Ray and a client with hundreds of connections come to."""


def check(purpose: str, folder: Path) -> Iterator[Finding]:
    """Findings for one purpose ("train", "eval" or "build"); `folder` is where output will go."""
    yield _python()
    yield from _libc(purpose)
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding(GROUP, "processors", f"{count} x {platform.machine()}")
    yield _memory(purpose)
    for name, place in (("disk, working folder", folder), ("disk, cache", cache_folder())):
        yield _disk(purpose, name, place)
    if purpose == "train":
        yield _shared_memory()
        yield _open_files()
    yield from _gpus(purpose)


def _python() -> Finding:
    version = platform.python_version()
    low, high = SUPPORTED
    if low <= sys.version_info[:2] < high:
        return Finding(GROUP, "Python", f"{version}, {sys.executable}")
    fix = "make PYTHON=/path/to/python3.12 setup, or create the environment with Python 3.11 or 3.12"
    return Finding(GROUP, "Python", version, "missing", fix)


def _libc(purpose: str) -> Iterator[Finding]:
    try:
        function = ctypes.CDLL(None).gnu_get_libc_version
    except (AttributeError, OSError):
        yield Finding(
            GROUP, "C library", "not glibc", "note", "use a glibc system: torch and ray publish no other wheels"
        )
        return
    function.restype = ctypes.c_char_p
    text = function().decode()
    have = tuple(int(part) for part in text.split(".")[:2])
    if have < GLIBC:
        yield Finding(GROUP, "C library", f"glibc {text}", "missing", "use a system with glibc 2.28 or newer")
    elif have < GLIBC_SGLANG and purpose == "train":
        fix = "for SGLang rollouts use a system with glibc 2.34 or newer"
        yield Finding(GROUP, "C library", f"glibc {text}", "note", fix)
    else:
        yield Finding(GROUP, "C library", f"glibc {text}")


def _memory(purpose: str) -> Finding:
    memory = machine.host_memory()
    if memory is None:
        return Finding(GROUP, "memory", "unknown on this system", "note")
    text, need = f"{size(memory.available)} of {size(memory.total)} available", MEMORY[purpose]
    if memory.total < need:
        return Finding(GROUP, "memory", text, "missing", f"use a machine with at least {size(need)}")
    if memory.available < need:
        return Finding(GROUP, "memory", text, "note", f"end other programs: {size(need)} are wanted")
    return Finding(GROUP, "memory", text)


def _disk(purpose: str, name: str, place: Path) -> Finding:
    free, need = machine.free_disk(place), DISK[purpose]
    text = f"{size(free)} free at {machine.existing_parent(place)}"
    if free < need:
        change = "set GOLONGRL_HOME to a larger disk" if "cache" in name else "free space, or work in another folder"
        return Finding(GROUP, name, text, "missing", f"{change}: at least {size(need)} are needed")
    return Finding(GROUP, name, text)


def _shared_memory(place: Path = Path("/dev/shm")) -> Finding:
    if not place.is_dir():
        return Finding(GROUP, "shared memory", f"no {place}", "note", f"mount {place}: Ray is slow without it")
    free = machine.free_disk(place)
    if free < SHARED_MEMORY:
        fix = "start the container with --shm-size=8g (or --ipc=host)"
        return Finding(GROUP, "shared memory", f"{size(free)} free", "note", fix)
    return Finding(GROUP, "shared memory", f"{size(free)} free")


def _open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    if unlimited or soft >= OPEN_FILES:
        return Finding(GROUP, "open files", "unlimited" if unlimited else f"{soft:,}")
    able = "" if hard == resource.RLIM_INFINITY or hard >= OPEN_FILES else f" (the hard limit is {hard:,}: ask root)"
    return Finding(GROUP, "open files", f"{soft:,}", "note", f"ulimit -n {OPEN_FILES}{able}")


def _gpus(purpose: str) -> Iterator[Finding]:
    found = machine.gpus()
    if not found:
        advice = "training runs on the CPU: --preset cpu-smoke, cpu-smollm2" if purpose == "train" else ""
        yield Finding(GROUP, "GPUs", "none that nvidia-smi sees", "note" if advice else "ok", advice)
        return
    for index, gpu in enumerate(found):
        yield Finding(GROUP, f"GPU {index}", f"{gpu.name}, {size(gpu.free)} of {size(gpu.total)} free")
    driver = machine.driver()
    if driver is not None:
        yield Finding(GROUP, "driver", f"{driver.version}, CUDA up to {driver.cuda or 'unknown'}")


def size(count: int) -> str:
    """Bytes as GiB."""
    return f"{count / GIB:.1f} GiB"
