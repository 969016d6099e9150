"""What Ray is told: a cluster of its own on this machine, or a running one to join. Imports no ray."""

import os
import secrets
import shlex
import socket
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from golongrl.core import plugins
from golongrl.core.cache import cache_folder
from golongrl.core.errors import ConfigError, ServerError
from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.supervise import RUN_VARIABLE

PLUGIN = "golongrl.pipeline.training.verl_plugin"

INIT = "ray_kwargs.ray_init"
"""Where verl's tree holds the arguments of ray.init."""

LOCAL_CPUS = 16
"""CPUs that a Ray cluster of our own claims to have: verl's processes ask for more than a laptop has and use few."""

CONNECT_SECONDS = 3.0

OTHER_CPUS = 9
"""CPUs that TransferQueue's eight storage units and its controller ask for."""

CPUS_PER_GPU = 3
"""CPUs that verl reserves beside each GPU (its ResourcePoolManager.max_colocate_count)."""


def ray_init(config: TrainConfig, out: Path) -> dict[str, Any]:
    """verl settings for ray.init; ConfigError for an address that cannot work.

    A running cluster decides itself what its nodes have, and each node runs the interpreter that `ray start` ran
    with there; what the training processes need of the environment travels with the job.
    """
    if config.ray_address is None:
        return _local(config)
    if "://" in config.ray_address:
        raise ConfigError(
            f"ray_address = {config.ray_address!r} is a URL; training joins a cluster from one of its nodes: run it "
            "on the head with --ray-address auto (or HOST:6379), or hand it to the job server with "
            "ray job submit --address URL -- golongrl train --ray-address auto ..."
        )
    values: dict[str, Any] = {
        f"+{INIT}.address": config.ray_address,
        f"+{INIT}.runtime_env.env_vars": worker_environment(config, out),
    }
    if shlex.quote(sys.executable) != sys.executable:
        # The path as it is would break in Ray's shell command on every node; this one must then be the same on all.
        values[f"{INIT}.runtime_env.py_executable"] = shlex.quote(sys.executable)
    if config.device == "cuda":
        # TransferQueue pins its storage to nodes in turn, also to a head that offers no CPUs, where it cannot start.
        values["+transfer_queue.backend.SimpleStorage.required_node_resource"] = "GPU"
    return values


def _local(config: TrainConfig) -> dict[str, Any]:
    values: dict[str, Any] = {
        # Without it Ray would join the cluster that RAY_ADDRESS names, which is set inside every Ray job.
        f"+{INIT}.address": "local",
        # Ray puts the interpreter into a shell command as it is, which breaks where its path has a space.
        f"{INIT}.runtime_env.py_executable": shlex.quote(sys.executable),
    }
    needed = CPUS_PER_GPU * config.gpus_per_node + OTHER_CPUS
    # Ray waits for ever for CPUs that a machine does not have, and verl's processes use few of those they ask for.
    values[f"{INIT}.num_cpus"] = max(os.cpu_count() or 1, LOCAL_CPUS if config.device == "cpu" else 0, needed)
    if config.device == "cpu":
        values |= {
            # Ray schedules training processes on "GPU" slots; on a CPU these are only counted.
            f"+{INIT}.num_gpus": config.gpus_per_node,
            f"+{INIT}.include_dashboard": False,
        }
    return values


def environment(config: TrainConfig, out: Path) -> dict[str, str]:
    """Environment variables of the training process that the starter runs; a Ray cluster of its own inherits them."""
    values = worker_environment(config, out) | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}
    if config.ray_address is not None:
        # A submitted job may bring variables of its own; without this Ray refuses those that we set as well.
        values["RAY_OVERRIDE_JOB_RUNTIME_ENV"] = "1"
    elif config.device == "cpu":
        values |= _private_ray()
    return values


def worker_environment(config: TrainConfig, out: Path) -> dict[str, str]:
    """Environment variables that every process of a run needs, on whichever node it is; no secrets."""
    values = {
        RUN_VARIABLE: str(out),
        "TOKENIZERS_PARALLELISM": "false",
        # verl reads its rows by `datasets`, which otherwise tells an address at Amazon of every parquet file.
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        "TENSORBOARD_DIR": str(out / "tensorboard"),
        "VERL_USE_EXTERNAL_MODULES": f"{PLUGIN}.rollout_registry",
    }
    if plugins.names():
        values[plugins.VARIABLE] = ",".join(plugins.names())
    if "wandb" not in config.loggers:
        values["WANDB_MODE"] = "disabled"
    if config.device == "cpu":
        values |= _cpu_environment(config)
    return values


def _cpu_environment(config: TrainConfig) -> dict[str, str]:
    return {
        "VERL_PLATFORM": "cpu",
        # verl registers its FSDP engine for accelerators only; this is its own override for other devices.
        "VERL_ENGINE_DEVICE": "cuda",
        "VERL_USE_EXTERNAL_MODULES": f"{PLUGIN}.cpu_platform,{PLUGIN}.rollout_registry",
        # Ray gives each worker one thread and a low priority. Trainer and rollout server take turns on the same
        # cores, so each gets its share of all of them, and idle threads must not spin. Nodes are of one kind.
        "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // config.gpus_per_node)),
        "OMP_WAIT_POLICY": "PASSIVE",
        "RAY_worker_niceness": "0",
        # Keep freed memory: giving every large tensor back to the system and faulting it in anew costs more than
        # the arithmetic.
        "MALLOC_ARENA_MAX": "1",
        "MALLOC_MMAP_MAX_": "0",
        "MALLOC_TRIM_THRESHOLD_": str(1 << 36),
        "MALLOC_TOP_PAD_": str(256 << 20),
    }


def _private_ray() -> dict[str, str]:
    """Keeps a local Ray cluster inside the user's cache: by default it writes to /tmp/ray and ~/.ray."""
    values = {"RAY_AUTH_TOKEN": secrets.token_hex(16)}
    folder = str(cache_folder())
    # Ray's socket names add up to 70 characters, and Linux allows 107 in all.
    if "RAY_TMPDIR" not in os.environ and len(folder) <= 36:
        values["RAY_TMPDIR"] = folder
    return values


def check_address(address: str | None) -> None:
    """ServerError where nothing listens at HOST:PORT, on which Ray itself goes on knocking for minutes."""
    if address in (None, "auto", "local"):
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError(f"ray_address = {address!r} is neither 'auto' nor HOST:PORT; Ray's port is 6379 by default")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ServerError(
            f"no Ray cluster answers at {address} ({error}); start its head with `ray start --head`, see `ray "
            "status` there, or use --ray-address auto on one of its nodes"
        ) from error


def check_nodes(found: Iterable[Mapping[str, Any]], nodes: int, gpus_per_node: int) -> None:
    """ConfigError unless the rows of `ray.nodes()` have room for every node's processes.

    verl counts the GPUs of the whole cluster only, and waits for ever when they lie on the wrong nodes or when a
    node has too few CPUs.
    """
    cpus_per_node = CPUS_PER_GPU * gpus_per_node
    kinds: Counter[tuple[int, int]] = Counter()
    room = 0
    for node in found:
        if not node["Alive"]:
            continue
        gpus, cpus = (int(node["Resources"].get(name, 0)) for name in ("GPU", "CPU"))
        kinds[gpus, cpus] += 1
        room += min(gpus // gpus_per_node, cpus // cpus_per_node)
    if room < nodes:
        there = ", ".join(f"{count} x ({gpus} GPU, {cpus} CPU)" for (gpus, cpus), count in sorted(kinds.items()))
        raise ConfigError(
            f"nodes = {nodes} with gpus_per_node = {gpus_per_node} needs {nodes} x ({gpus_per_node} GPU, "
            f"{cpus_per_node} CPU), and the Ray cluster has {there or 'no nodes'}; see `ray status`, start Ray on "
            "the missing nodes, or set nodes and gpus_per_node to what is there"
        )
