"""The training configuration: what a person decides; everything else is derived from it or is verl's default."""

from collections.abc import Collection, Mapping
from math import gcd
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from golongrl.core.advantages import ALGORITHMS
from golongrl.core.config import Config

CHANGES_NO_RESULT = (
    *("ray_address", "loggers", "dump_rollouts", "save_every", "keep_checkpoints", "prove", "rollout_memory"),
    *("inflight_batches", "max_generated_batches", "max_no_signal_steps"),
)
"""Keys with which a run may be taken up again at another value."""


class TrainConfig(Config):
    """One training run. Defaults are the recipe's (arXiv 2605.19577) where it states a value."""

    algo: str = "tmn-reweight"
    """Advantage algorithm; see ALGORITHMS of golongrl.core.advantages."""
    model: str
    """Model folder or hub id; "smoke" is a byte-level model of 90 thousand parameters that golongrl makes itself."""
    data: str
    """Training records, .parquet; "smoke" is a dozen tiny records for that model."""
    val_data: str | None = None
    """Validation records, .parquet; needed when validate_every is set."""

    rollout: Literal["sglang", "vllm", "transformers"] = "sglang"
    """Rollout engine; transformers is the one that runs on a CPU."""
    device: Literal["cuda", "cpu"] = "cuda"
    """Where the policy is trained."""
    engine: Literal["fsdp", "megatron"] = "fsdp"
    """verl's model engine."""
    nodes: int = Field(1, ge=1)
    """Machines."""
    gpus_per_node: int = Field(8, ge=1)
    """GPUs per machine; on a CPU the number of training processes."""
    ray_address: str | None = None
    """Ray cluster to join, "auto" or a URL; None starts one on this machine."""
    tensor_parallel: int = Field(1, ge=1)
    """Tensor parallel size of training (Megatron only)."""
    context_parallel: int = Field(1, ge=1)
    """Context parallel size of training (Ulysses under FSDP, ring attention under Megatron)."""
    expert_parallel: int = Field(1, ge=1)
    """Expert parallel size of training (Megatron only)."""
    rollout_tensor_parallel: int = Field(1, ge=1)
    """Tensor parallel size of one rollout server."""
    rollout_memory: float = Field(0.6, gt=0, lt=1)
    """Share of GPU memory for the rollout server."""
    offload: bool = False
    """Keep parameters, gradients and optimizer state in CPU memory while they are not used."""
    recompute: bool = True
    """Recompute activations in the backward pass instead of keeping them."""
    attention: Literal["sdpa", "flash_attention_2", "flash_attention_3"] = "sdpa"
    """Attention of the FSDP engine; flash_attention_* need the flash-attn package and remove padding."""

    steps: int | None = Field(None, ge=1)
    """Training steps; None runs `epochs`."""
    epochs: int = Field(10, ge=1)
    """Passes over the data; with `steps` set, as many as those take."""
    prompts_per_batch: int = Field(128, ge=1)
    """Prompt groups per step; one policy update each, strictly on-policy."""
    rollouts_per_prompt: int = Field(16, ge=2)
    """Rollouts per prompt group."""
    max_prompt_tokens: int = Field(163_840, ge=1)
    """Longer prompts are filtered out before training."""
    max_response_tokens: int = Field(16_384, ge=1)
    """Rollouts are cut there."""
    temperature: float = Field(1.0, gt=0)
    """Sampling temperature of rollouts."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus sampling of rollouts."""
    think: Literal["template", "required", "optional"] = "template"
    """Whether an answer needs a closed think block; `template` reads it off the model's chat template."""

    sampling: Literal["shuffle", "balanced"] = "shuffle"
    """Prompts of a batch: at random, or a share for every task so that rare ones are in each batch."""
    sampling_temperature: float | None = Field(None, ge=1)
    """balanced: a task's share grows with its records to the power 1 / temperature; None gives equal shares."""
    filter_groups: bool = True
    """Dynamic sampling: replace groups whose rollouts all earn the same until the batch is full."""
    filter_metric: str = "score"
    """Number of the reward function that decides: score (or task-specific numbers of a reward of your own)."""
    filter_tolerance: float = Field(1e-6, ge=0)
    """Groups whose metric varies by at most this carry no signal."""
    surplus: Literal["carry", "drop"] = "carry"
    """Groups beyond the batch: train on them in the next step, or throw them away."""
    inflight_batches: int = Field(4, ge=1)
    """Most batches of prompts in generation at once while groups are replaced."""
    max_generated_batches: int = Field(32, ge=1)
    """A step that generated this many batches of prompts without filling its own stops the run."""
    max_no_signal_steps: int = Field(20, ge=1)
    """The run stops after this many steps in a row in which every advantage was 0."""

    micro_batch_tokens: int | None = Field(None, ge=1)
    """Most tokens that go through the model at once on one GPU; None is its share of one sequence of full length."""

    learning_rate: float = Field(2e-6, gt=0)
    """Peak learning rate (AdamW)."""
    warmup_steps: int = Field(5, ge=0)
    """Linear warm-up."""
    weight_decay: float = Field(0.1, ge=0)
    """AdamW weight decay."""
    grad_clip: float = Field(1.0, gt=0)
    """Largest gradient norm."""
    clip_low: float = Field(0.2, gt=0)
    """Lower PPO clip."""
    clip_high: float = Field(0.28, gt=0)
    """Upper PPO clip."""
    clip_dual: float = Field(3.0, gt=1)
    """Largest ratio that counts where the advantage is negative (dual clip)."""
    icepop: bool = True
    """Give tokens whose train / rollout probability ratio lies outside the band no gradient."""
    icepop_low: float = Field(0.5, gt=0)
    """Lower end of the band."""
    icepop_high: float = Field(5.0, gt=0)
    """Upper end of the band."""

    alpha: float = Field(0.8, ge=0, le=1)
    """tmn-reweight: weight of the group's own mean in its bar."""
    gamma: float = Field(1.0, ge=0)
    """tmn-reweight: strength of the difficulty weight; 0 is plain tmn."""
    max_weight: float | None = Field(None, ge=1)
    """tmn-reweight: clamp of the difficulty weight."""
    task_stats: Literal["batch", "ema"] = "batch"
    """Task scale and mean from the batch alone, or a running mean that is saved with checkpoints."""
    ema_decay: float = Field(0.9, ge=0, lt=1)
    """Share of the running mean that stays per batch."""

    save_every: int = Field(5, ge=1)
    """Steps between checkpoints; the last step is always saved."""
    keep_checkpoints: int | None = Field(None, ge=1)
    """Keep this many newest checkpoints; None keeps all."""
    validate_every: int | None = Field(None, ge=1)
    """Steps between validations on val_data; with it set, one comes before the first step too."""
    dump_rollouts: bool = False
    """Write every rollout's text to rollouts/STEP.jsonl."""
    loggers: list[Literal["console", "tensorboard", "file", "wandb", "mlflow", "swanlab", "trackio"]] = Field(
        default_factory=lambda: ["console", "tensorboard", "file"]
    )
    """Where metrics go. `file` is metrics.jsonl, which is written in any case."""
    prove: bool = True
    """After the last step: the merged model is compared with the base model, loaded, and generates."""
    yarn_factor: float | None = Field(None, gt=1)
    """Write YaRN with this factor into the merged model's config.json, for evaluation beyond its context."""
    seed: int = 0
    """Seed of data order and sampling."""
    verl: dict[str, Any] = Field(default_factory=dict)
    """Any further verl setting by its dotted path; wins over what golongrl derives."""

    @field_validator("algo")
    @classmethod
    def _known_algorithm(cls, value: str) -> str:
        if value not in ALGORITHMS:
            raise ValueError(f"unknown algorithm {value!r}; algorithms: {', '.join(ALGORITHMS)}")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        world = self.nodes * self.gpus_per_node
        if self.device == "cpu" and self.rollout != "transformers":
            raise ValueError(f"rollout {self.rollout!r} needs GPUs; on a CPU use rollout = 'transformers'")
        if self.device == "cpu" and self.engine != "fsdp":
            raise ValueError("engine 'megatron' needs GPUs; on a CPU use engine = 'fsdp'")
        if self.engine == "fsdp" and self.tensor_parallel * self.expert_parallel > 1:
            raise ValueError("tensor_parallel and expert_parallel need engine = 'megatron'")
        if world % (self.tensor_parallel * self.context_parallel):
            raise ValueError(
                f"tensor_parallel x context_parallel = {self.tensor_parallel * self.context_parallel} must divide "
                f"the {world} processes (nodes x gpus_per_node); set both to divisors of that"
            )
        if world % self.rollout_tensor_parallel:
            raise ValueError(
                f"rollout_tensor_parallel = {self.rollout_tensor_parallel} must divide the {world} processes (nodes "
                "x gpus_per_node); set it to a divisor of that"
            )
        samples, share = self.prompts_per_batch * self.rollouts_per_prompt, self.data_parallel
        if samples % share:
            raise ValueError(
                f"prompts_per_batch x rollouts_per_prompt = {samples} must be a multiple of the {share} "
                f"data-parallel processes; set prompts_per_batch to a multiple of "
                f"{share // gcd(share, self.rollouts_per_prompt)}"
            )
        if self.micro_batch_tokens is not None and self.micro_batch_tokens * self.context_parallel < self.longest:
            raise ValueError(
                f"micro_batch_tokens x context_parallel must hold one sequence of max_prompt_tokens + "
                f"max_response_tokens = {self.longest}; set it to at least {self.tokens_per_gpu}"
            )
        if self.filter_groups and self.surplus == "carry" and not self.icepop:
            raise ValueError(
                "surplus = 'carry' trains on rollouts of the previous policy, which icepop = true corrects; set it, "
                "or set surplus = 'drop'"
            )
        if self.task_stats == "ema" and self.algo == "qwenlong":
            raise ValueError("task_stats = 'ema' is for tmn and tmn-reweight; with qwenlong set task_stats = 'batch'")
        if self.sampling_temperature is not None and self.sampling == "shuffle":
            raise ValueError("sampling_temperature needs sampling = 'balanced'")
        if self.icepop_low >= self.icepop_high:
            raise ValueError(f"icepop_low {self.icepop_low} must lie below icepop_high {self.icepop_high}")
        if self.engine == "fsdp" and self.context_parallel > 1 and self.attention == "sdpa":
            raise ValueError("context_parallel under FSDP (Ulysses) needs attention = 'flash_attention_2'")
        if self.validate_every and not self.val_data:
            raise ValueError("validate_every needs val_data; set it to a .parquet file of validation records")
        return self

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence, prompt and response."""
        return self.max_prompt_tokens + self.max_response_tokens

    @property
    def one_at_a_time(self) -> bool:
        """Micro batches of one sequence: verl fills a micro batch by real tokens and then pads every row to the
        longest, which on a GPU would hold many times what the budget says."""
        padded = self.engine == "fsdp" and self.attention == "sdpa"
        return padded and self.device == "cuda" and self.micro_batch_tokens is None

    @property
    def data_parallel(self) -> int:
        """Copies of the model that share a batch in training; TP x CP processes make one."""
        return self.nodes * self.gpus_per_node // (self.tensor_parallel * self.context_parallel)

    @property
    def tokens_per_gpu(self) -> int:
        """Most tokens of a micro batch on one GPU. verl packs sequences up to context_parallel times this."""
        if self.micro_batch_tokens is not None and self.micro_batch_tokens * self.context_parallel >= self.longest:
            return self.micro_batch_tokens
        return -(-self.longest // self.context_parallel)


def may_differ(config: TrainConfig, before: Mapping[str, Any]) -> Collection[str]:
    """Keys in which `config` may differ from the resolved configuration of the run that it takes up again.

    More `steps` than before are among them: the learning rate is constant after its warm-up, so the steps that were
    made stay what they are, unless settings of verl's optimizer say otherwise.
    """
    grows = before.get("steps") is not None and config.steps is not None and config.steps > before["steps"]
    constant = not any(key.startswith("actor_rollout_ref.actor.optim.") for key in config.verl)
    return (*CHANGES_NO_RESULT, "steps") if grows and constant else CHANGES_NO_RESULT
