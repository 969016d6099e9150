"""A rollout engine made of transformers and torch: token in, token out, exact weights, on a CPU or a CUDA GPU.

verl talks to a Ray actor (`TransformersServer`, rollout_server.py) for rollouts and to an adapter inside the training
process (`TransformersAdapter`) for weights. On a GPU both share the card: the server's weights wait in host memory
while the policy is trained.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ray
import torch
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from verl.utils.device import get_device_name
from verl.utils.torch_dtypes import PrecisionType
from verl.workers.rollout.base import BaseRollout
from verl.workers.rollout.replica import RolloutReplica

from golongrl.pipeline.training.verl_plugin.rollout_server import (
    Packed,
    ServerSettings,
    TransformersServer,
    actor_name,
    pack,
)

BUCKET_BYTES = 256 << 20

VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Place:
    """Where a training process runs: Ray's id of the node, "cpu" or "cuda", and the GPU as CUDA_VISIBLE_DEVICES
    names it."""

    node_id: str
    device: str
    gpu: str | None = None


def visible_gpu(visible: str | None, index: int) -> str:
    """The entry of a CUDA_VISIBLE_DEVICES (None: unset) that a process knows as its GPU number `index`."""
    return str(index) if visible is None else visible.split(",")[index].strip()


def worker_place(_: Any) -> Place:
    """The place of the training process this is called in."""
    node_id, device = ray.get_runtime_context().get_node_id(), get_device_name()
    gpu = visible_gpu(os.environ.get(VISIBLE), torch.cuda.current_device()) if device == "cuda" else None
    return Place(node_id, device, gpu)


def server_options(replica_rank: int, max_concurrency: int, place: Place) -> dict[str, Any]:
    """Ray options of a server: on the node and the GPU, if any, of its replica's first training process."""
    options: dict[str, Any] = {
        "name": actor_name(replica_rank),
        "max_concurrency": max_concurrency,
        "num_cpus": 0,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(node_id=place.node_id, soft=False),
    }
    if place.gpu is not None:
        # The training process holds Ray's claim on the GPU. Ray, depending on its version, hides all GPUs from an
        # actor that claims none; with NOSET it leaves the variable as it is set here.
        options["num_gpus"] = 0
        options["runtime_env"] = {"env_vars": {f"RAY_EXPERIMENTAL_NOSET_{VISIBLE}": "1", VISIBLE: place.gpu}}
    return options


def server_settings(config: Any, model_path: str, replica_rank: int, device: str) -> ServerSettings:
    """Settings from verl's rollout configuration; on a CPU the policy is trained in float32, and sampled in it."""
    return ServerSettings(
        model_path=model_path,
        device=device,
        dtype=torch.float32 if device == "cpu" else PrecisionType.to_dtype(config.dtype),
        max_model_len=config.max_model_len,
        response_length=config.response_length,
        max_num_seqs=config.max_num_seqs,
        free_cache=config.free_cache_engine,
        seed=config.seed,
        replica_rank=replica_rank,
    )


class TransformersReplica(RolloutReplica):
    """One server actor per rollout replica."""

    async def launch_servers(self) -> None:
        """Start the server actor beside the replica's first training process."""
        place = await self.workers[0].__ray_call__.remote(worker_place)
        settings = server_settings(self.config, self.model_config.path, self.replica_rank, place.device)
        options = server_options(self.replica_rank, self.max_concurrency, place)
        server = ray.remote(TransformersServer).options(**options).remote(settings)
        self.servers = [server]
        self._server_handle = server
        self._server_address = actor_name(self.replica_rank)


class TransformersAdapter(BaseRollout):
    """Sends the policy's weights from a training process to its replica's server."""

    def __init__(self, config: Any, model_config: Any, device_mesh: Any, *args: Any, **kwargs: Any):
        super().__init__(config, model_config, device_mesh, *args, **kwargs)
        rank = torch.distributed.get_rank()
        per_replica = self.config.tensor_model_parallel_size * self.config.data_parallel_size
        self.name, self.sends = actor_name(rank // per_replica), rank % per_replica == 0

    async def resume(self, tags: list[str]) -> None:
        """Wake the server for the weights it is about to get."""
        if self.sends and "weights" in tags:
            await ray.get_actor(self.name).wake_up.remote()

    async def release(self) -> None:
        """Put the server to sleep."""
        if self.sends:
            await ray.get_actor(self.name).sleep.remote()

    async def update_weights(
        self,
        weights: Iterator[tuple[str, torch.Tensor]],
        wire_format: str = "named_tensors",
        global_steps: int | None = None,
        **_: Any,
    ) -> None:
        """Send all parameters; every rank walks the iterator because gathering a shard is collective."""
        if wire_format != "named_tensors":
            raise ValueError(f"the transformers rollout takes named tensors, not {wire_format!r}")
        server = ray.get_actor(self.name)
        bucket: dict[str, Packed] = {}
        size = 0
        for name, tensor in weights:
            if not self.sends:
                continue
            bucket[name] = pack(tensor)
            size += bucket[name].data.nbytes
            if size >= BUCKET_BYTES:
                await server.load_weights.remote(bucket, None)
                bucket, size = {}, 0
        if self.sends:
            await server.load_weights.remote(bucket, global_steps)
