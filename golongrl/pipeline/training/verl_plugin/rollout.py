"""A rollout engine made of transformers and torch: token in, token out, exact weights, any device torch knows.

verl talks to a Ray actor (`TransformersServer`) for rollouts and to an adapter inside the training process
(`TransformersAdapter`) for weights.
"""

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import ray
import torch
from verl.workers.rollout.base import BaseRollout
from verl.workers.rollout.replica import RolloutReplica, TokenOutput

from golongrl.pipeline.training.verl_plugin.decoding import Sampling, sample

BUCKET_BYTES = 256 << 20
GATHER_SECONDS = 0.05
"""How long a batch waits for more requests; the rollouts of a step arrive together."""


def actor_name(replica_rank: int) -> str:
    """Ray name of a replica's server."""
    return f"golongrl_transformers_rollout_{replica_rank}"


class TransformersServer:
    """Serves rollouts of one replica; verl calls its methods through Ray."""

    def __init__(self, model_path: str, max_model_len: int, response_length: int, max_num_seqs: int, seed: int):
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
        tokenizer = AutoTokenizer.from_pretrained(model_path)
        config = AutoConfig.from_pretrained(model_path)
        self.model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        stop = {tokenizer.eos_token_id}
        try:
            named = GenerationConfig.from_pretrained(model_path).eos_token_id
            stop |= set(named) if isinstance(named, list) else {named}
        except OSError:
            pass  # A model without generation_config.json stops at the tokenizer's end token alone.
        self.stop_ids = frozenset(stop - {None})
        self.pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        self.max_model_len, self.response_length, self.max_num_seqs = max_model_len, response_length, max_num_seqs
        self.seed = seed
        self.generator = torch.Generator().manual_seed(seed)
        self.global_steps = 0
        self.waiting: list[tuple[list[int], int, Sampling, asyncio.Future]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.worker: asyncio.Task | None = None

    async def generate(
        self, request_id: str, *, prompt_ids: list[int], sampling_params: dict[str, Any], **_: Any
    ) -> TokenOutput:
        """One rollout: response tokens with log-probs under the temperature-scaled policy."""
        await self.open.wait()
        limit = sampling_params.get("max_tokens") or sampling_params.get("max_new_tokens") or self.response_length
        budget = min(limit, self.response_length, self.max_model_len - len(prompt_ids))
        if budget < 1:
            raise ValueError(f"a prompt of {len(prompt_ids)} tokens leaves no room below {self.max_model_len}")
        sampling = Sampling(
            temperature=float(sampling_params.get("temperature", 1.0)),
            top_p=float(sampling_params.get("top_p", 1.0)),
            top_k=int(sampling_params.get("top_k", -1)),
        )
        future = asyncio.get_running_loop().create_future()
        self.waiting.append((list(prompt_ids), budget, sampling, future))
        if self.worker is None or self.worker.done():
            self.worker = asyncio.create_task(self._drain())
        result = await future
        return TokenOutput(
            token_ids=result.token_ids,
            log_probs=result.log_probs,
            stop_reason="completed" if result.completed else "length",
            extra_fields={"global_steps": self.global_steps},
        )

    async def _drain(self) -> None:
        """Run waiting requests in batches of equal sampling settings until none is left."""
        while self.waiting:
            await asyncio.sleep(GATHER_SECONDS)
            sampling = self.waiting[0][2]
            batch = [item for item in self.waiting if item[2] == sampling][: self.max_num_seqs]
            taken = {id(item) for item in batch}
            self.waiting = [item for item in self.waiting if id(item) not in taken]
            prompts, budgets = [item[0] for item in batch], [item[1] for item in batch]
            try:
                results = await asyncio.to_thread(
                    sample,
                    self.model,
                    prompts,
                    budgets,
                    sampling,
                    stop_ids=self.stop_ids,
                    pad_id=self.pad_id,
                    generator=self.generator,
                )
            except (RuntimeError, ValueError, IndexError) as error:
                for item in batch:
                    item[3].set_exception(error)
                continue
            for item, result in zip(batch, results, strict=True):
                item[3].set_result(result)

    async def load_weights(self, weights: dict[str, Any], global_steps: int | None) -> None:
        """Copy a bucket of parameters (numpy arrays by name) into the model."""
        parameters = self.model.state_dict(keep_vars=True)
        with torch.no_grad():
            for name, array in weights.items():
                if name in parameters:
                    parameters[name].copy_(torch.as_tensor(array))
                elif name != "lm_head.weight" or not self.model.config.tie_word_embeddings:
                    raise KeyError(f"the trainer sent {name}, which the rollout model does not have")
        if global_steps is not None:
            self.global_steps = global_steps
            # Sampling depends on the step alone, so a resumed run draws what an undisturbed one would.
            self.generator.manual_seed(self.seed + 1_000_003 * (global_steps + 1))

    async def abort_all_requests(self, reject_request: bool = False) -> None:
        """Hold new requests; running ones finish."""
        self.open.clear()

    async def resume_generation(self) -> None:
        """Let requests in again."""
        self.open.set()

    async def nothing(self, *_: Any, **__: Any) -> None:
        """Weights and caches stay in memory, so there is nothing to put to sleep or to profile."""

    wake_up = sleep = clear_kv_cache = release_kv_cache = resume_kv_cache = start_profile = stop_profile = nothing


class TransformersReplica(RolloutReplica):
    """One server actor per rollout replica."""

    async def launch_servers(self) -> None:
        """Start the server actor beside the training processes."""
        model_path = self.model_config.path
        server = (
            ray.remote(TransformersServer)
            .options(name=actor_name(self.replica_rank), max_concurrency=self.max_concurrency, num_cpus=0)
            .remote(
                model_path=model_path,
                max_model_len=self.config.max_model_len,
                response_length=self.config.response_length,
                max_num_seqs=self.config.max_num_seqs,
                seed=self.config.seed + self.replica_rank,
            )
        )
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
        """Nothing was released."""

    async def release(self) -> None:
        """Nothing to release: the server keeps its weights."""

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
        bucket: dict[str, Any] = {}
        size = 0
        for name, tensor in weights:
            if not self.sends:
                continue
            array = tensor.detach().to("cpu", torch.float32).numpy()
            bucket[name] = array
            size += array.nbytes
            if size >= BUCKET_BYTES:
                await server.load_weights.remote(bucket, None)
                bucket, size = {}, 0
        if self.sends:
            await server.load_weights.remote(bucket, global_steps)
