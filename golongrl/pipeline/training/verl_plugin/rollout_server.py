"""The rollout server: a Ray actor that holds the model, gathers requests into batches and samples them."""

import asyncio
import os
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import ray
import torch
from verl.workers.rollout.replica import TokenOutput

from golongrl.core.errors import UsageError
from golongrl.pipeline.training.verl_plugin.decoding import Sampling, group_key, sample, stream

GATHER_SECONDS = 0.05
"""How long a batch waits for more requests; the rollouts of a step arrive together."""


def actor_name(replica_rank: int) -> str:
    """Ray name of a replica's server."""
    return f"golongrl_transformers_rollout_{replica_rank}"


@dataclass(frozen=True)
class ServerSettings:
    """What a server is told."""

    model_path: str
    device: str
    dtype: torch.dtype
    max_model_len: int
    response_length: int
    max_num_seqs: int
    free_cache: bool
    """Give the GPU's memory back while the policy is trained."""
    seed: int
    replica_rank: int


class Packed(NamedTuple):
    """A parameter on its way: its bytes [n], which Ray moves without copying them through pickle."""

    data: np.ndarray
    dtype: torch.dtype
    shape: torch.Size


def pack(tensor: torch.Tensor) -> Packed:
    """A parameter in its own dtype, from any device."""
    data = tensor.detach().to("cpu").contiguous().reshape(-1).view(torch.uint8).numpy()
    return Packed(data, tensor.dtype, tensor.shape)


def unpack(packed: Packed) -> torch.Tensor:
    """The parameter, sharing the packed bytes: only to be read."""
    return torch.from_dlpack(packed.data).view(packed.dtype).reshape(packed.shape)


@dataclass(frozen=True)
class Request:
    """A rollout that was asked for: number `number` of its group (see `decoding.group_key`)."""

    group: str
    number: int
    prompt_ids: list[int]
    budget: int
    sampling: Sampling
    result: asyncio.Future


class TransformersServer:
    """Serves rollouts of one replica; verl calls its methods through Ray."""

    def __init__(self, settings: ServerSettings):
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
        self.settings = settings
        tokenizer = AutoTokenizer.from_pretrained(settings.model_path)
        config = AutoConfig.from_pretrained(settings.model_path)
        # The first weight update fills it, before the first rollout.
        with torch.device(settings.device):
            model = AutoModelForCausalLM.from_config(config, dtype=settings.dtype, attn_implementation="sdpa")
        self.model = model.eval()
        stop = {tokenizer.eos_token_id}
        try:
            named = GenerationConfig.from_pretrained(settings.model_path).eos_token_id
            stop |= set(named) if isinstance(named, list) else {named}
        except OSError:
            pass  # A model without generation_config.json stops at the tokenizer's end token alone.
        self.stop_ids = frozenset(stop - {None})
        self.pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        self.global_steps = 0
        self.numbers: Counter[str] = Counter()
        self.waiting: list[Request] = []
        self.open = asyncio.Event()
        self.open.set()
        self.lends_memory = settings.device != "cpu" and settings.free_cache
        self.awake = True
        self.model_free = asyncio.Condition()
        self.worker: asyncio.Task | None = None

    async def generate(
        self, request_id: str, *, prompt_ids: list[int], sampling_params: dict[str, Any], **_: Any
    ) -> TokenOutput:
        """One rollout: response tokens with log-probs under the temperature-scaled policy."""
        await self.open.wait()
        longest = self.settings.response_length
        limit = sampling_params.get("max_tokens") or sampling_params.get("max_new_tokens") or longest
        budget = min(limit, longest, self.settings.max_model_len - len(prompt_ids))
        if budget < 1:
            raise UsageError(
                f"a prompt of {len(prompt_ids)} tokens leaves no room for a response below max_prompt_tokens + "
                f"max_response_tokens = {self.settings.max_model_len}; raise one of them"
            )
        sampling = Sampling(
            temperature=float(sampling_params.get("temperature", 1.0)),
            top_p=float(sampling_params.get("top_p", 1.0)),
            top_k=int(sampling_params.get("top_k", -1)),
        )
        group = group_key(self.settings.seed, self.global_steps, prompt_ids, sampling)
        # A prompt's rollouts may be spread over replicas, so the first one counts them for all.
        if self.settings.replica_rank == 0:
            number = await self.next_number(group)
        else:
            number = await ray.get_actor(actor_name(0)).next_number.remote(group)
        request = Request(group, number, prompt_ids, budget, sampling, asyncio.get_running_loop().create_future())
        self.waiting.append(request)
        if self.worker is None or self.worker.done():
            self.worker = asyncio.create_task(self._drain())
        result = await request.result
        return TokenOutput(
            token_ids=result.token_ids,
            log_probs=result.log_probs,
            stop_reason="completed" if result.completed else "length",
            extra_fields={"global_steps": self.global_steps},
        )

    async def next_number(self, group: str) -> int:
        """How many rollouts of this group (see `decoding.group_key`) were asked for before."""
        self.numbers[group] += 1
        return self.numbers[group] - 1

    async def _drain(self) -> None:
        """Run waiting requests in batches of equal sampling settings until none is left."""
        while self.waiting:
            await asyncio.sleep(GATHER_SECONDS)
            async with self.model_free:
                await self.model_free.wait_for(lambda: self.awake)
                batch = self._next_batch()
                try:
                    results = await asyncio.to_thread(
                        sample,
                        self.model,
                        [request.prompt_ids for request in batch],
                        [request.budget for request in batch],
                        batch[0].sampling,
                        stop_ids=self.stop_ids,
                        pad_id=self.pad_id,
                        streams=[stream(request.group, request.number) for request in batch],
                    )
                except Exception as error:  # whatever it is, those who wait for this batch must hear of it
                    results = [error] * len(batch)
            for request, result in zip(batch, results, strict=True):
                if request.result.cancelled():
                    continue
                if isinstance(result, Exception):
                    request.result.set_exception(result)
                else:
                    request.result.set_result(result)

    def _next_batch(self) -> list[Request]:
        """Take the oldest request and those sampled like it off the queue, in an order that does not depend on which
        came first: sums of floats in a row may depend on the row's place in the batch."""
        alike = [request for request in self.waiting if request.sampling == self.waiting[0].sampling]
        batch = alike[: self.settings.max_num_seqs]
        taken = set(map(id, batch))
        self.waiting = [request for request in self.waiting if id(request) not in taken]
        return sorted(batch, key=lambda request: (request.group, request.number))

    async def load_weights(self, weights: dict[str, Packed], global_steps: int | None) -> None:
        """Copy a bucket of parameters into the model; the last bucket of an update brings the step."""
        async with self.model_free:
            parameters = self.model.state_dict(keep_vars=True)
            with torch.no_grad():
                for name, packed in weights.items():
                    if name in parameters:
                        parameters[name].copy_(unpack(packed))
                    elif name != "lm_head.weight" or not self.model.config.tie_word_embeddings:
                        raise KeyError(f"the trainer sent {name}, which the rollout model does not have")
        if global_steps is not None:
            # Streams are named after the step, so a resumed run draws what an undisturbed one would.
            self.global_steps = global_steps
            self.numbers.clear()

    async def sleep(self) -> None:
        """Give the GPU's memory to the training process: weights to host memory, caches freed. No-op on a CPU."""
        await self._move("cpu", awake=False)

    async def wake_up(self) -> None:
        """Take the weights back to the GPU and serve again."""
        await self._move(self.settings.device, awake=True)

    async def _move(self, device: str, *, awake: bool) -> None:
        if not self.lends_memory:
            return
        async with self.model_free:
            self.model.to(device)
            torch.cuda.empty_cache()
            self.awake = awake
            self.model_free.notify_all()

    async def abort_all_requests(self, reject_request: bool = False) -> None:
        """Hold new requests; running ones finish."""
        self.open.clear()

    async def resume_generation(self) -> None:
        """Let requests in again."""
        self.open.set()

    async def nothing(self, *_: Any, **__: Any) -> None:
        """A cache lives no longer than its batch, and nothing is profiled."""

    clear_kv_cache = release_kv_cache = resume_kv_cache = start_profile = stop_profile = nothing
