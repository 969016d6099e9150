"""What this machine has: NVIDIA GPUs, cores, memory, disk space. Reads files and nvidia-smi; imports no torch."""

import math
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
QUERY_SECONDS = 5.0
"""nvidia-smi takes about a second per machine without the persistence daemon, and hangs when a driver does."""


@dataclass(frozen=True)
class Gpu:
    """One GPU; memory in bytes."""

    name: str
    total: int
    free: int


@dataclass(frozen=True)
class HostMemory:
    """Memory of the machine or of the container around this process, in bytes."""

    total: int
    available: int


def gpus(environment: Mapping[str, str] | None = None) -> list[Gpu]:
    """The GPUs a process started here would see; empty without an NVIDIA driver or when it does not answer."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=QUERY_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    if done.returncode != 0:
        return []
    return visible(parse_gpus(done.stdout), (os.environ if environment is None else environment))


def parse_gpus(text: str) -> list[Gpu]:
    """GPUs of nvidia-smi's CSV (name, MiB in all, MiB free); machines with shared memory say [N/A] and count as 0."""
    found = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.rsplit(",", 2)]
        if len(parts) == 3:
            total, free = (int(part) * MIB if part.isdigit() else 0 for part in parts[1:])
            found.append(Gpu(parts[0], total, free))
    return found


def visible(found: list[Gpu], environment: Mapping[str, str]) -> list[Gpu]:
    """Those that CUDA_VISIBLE_DEVICES leaves; as in CUDA, the list ends at the first entry that names none."""
    value = environment.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return found
    kept: list[Gpu] = []
    for entry in (part.strip() for part in value.split(",")):
        if entry.isdigit() and int(entry) < len(found):
            kept.append(found[int(entry)])
        elif entry.startswith(("GPU-", "MIG-")) and found:
            kept.append(found[0])
        else:
            break
    return kept


def usable_cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores that this process may use: of those it is bound to, no more than a container's share of time is worth,
    where part of a core counts as one."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = _words(cgroup / "cpu.max")
    if len(share) != 2:
        # The first version of cgroups; some systems mount its two controllers of time under one name.
        folder = next((cgroup / name for name in ("cpu", "cpu,cpuacct") if (cgroup / name).is_dir()), cgroup)
        share = _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
    # "max" and -1 stand for no limit.
    if len(share) != 2 or not all(part.isdigit() and int(part) for part in share):
        return bound
    quota, period = map(int, share)
    return min(bound, math.ceil(quota / period))


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:
        return []


def host_memory(proc: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")) -> HostMemory | None:
    """Memory in all and available to new processes; None where the system does not tell.

    A container's limit counts where it is the smaller one; its file cache can be given up, so it is available.
    """
    try:
        lines = proc.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    table = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    if "MemTotal" not in table or "MemAvailable" not in table:
        return None
    total, available = table["MemTotal"], table["MemAvailable"]
    limit = _number(cgroup / "memory.max")
    if limit is not None and limit < total:
        cache = _cgroup_file_cache(cgroup)
        used = max(0, (_number(cgroup / "memory.current") or 0) - cache)
        total, available = limit, max(0, min(available, limit - used))
    return HostMemory(total, available)


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _cgroup_file_cache(cgroup: Path) -> int:
    try:
        lines = (cgroup / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("inactive_file ", "active_file ")))


def existing_parent(path: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def free_disk(path: Path) -> int:
    """Bytes that this user may still write where a folder is or will be."""
    return shutil.disk_usage(existing_parent(path)).free


@dataclass(frozen=True)
class Driver:
    """NVIDIA's driver: its version, and the newest CUDA that it runs ("12.8")."""

    version: str
    cuda: str | None


def driver() -> Driver | None:
    """The driver that nvidia-smi reports; None without one or when it does not answer."""
    try:
        done = subprocess.run(["nvidia-smi"], capture_output=True, text=True, timeout=QUERY_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_driver(done.stdout) if done.returncode == 0 else None


def parse_driver(text: str) -> Driver | None:
    """The driver by the head of nvidia-smi's table; newer versions write "CUDA UMD Version"."""
    version = re.search(r"Driver Version:\s*([\d.]+)", text)
    cuda = re.search(r"CUDA(?: UMD)? Version:\s*([\d.]+)", text)
    return Driver(version[1], cuda[1] if cuda else None) if version else None
