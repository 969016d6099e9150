"""How a training run is spread over processes, and what decides the memory of one of them."""

from dataclasses import dataclass
from typing import Literal

FUSED = "actor_rollout_ref.model.use_fused_kernels"
"""verl's switch behind the logits path `fused`."""
OFFLOAD_POLICY = "actor_rollout_ref.actor.fsdp_config.offload_policy"
"""verl's switch behind Layout.offload_policy."""

LogitsPath = Literal["megatron", "flash", "packed", "padded", "float32", "fused"]
"""How log-probabilities come from logits: an entry of memory.update.LOGITS."""


@dataclass(frozen=True)
class Layout:
    """Sizes of the process groups and what a process is given. World = data x tensor x pipeline x context."""

    engine: Literal["fsdp", "megatron"]
    rollout: Literal["sglang", "vllm", "transformers"]
    world: int
    per_node: int
    tensor: int
    pipeline: int
    context: int
    expert: int
    expert_tensor: int
    """Ranks that share the tensors of one expert; Megatron's default is `tensor`."""
    rollout_tensor: int
    rollout_memory: float
    offload_parameters: bool
    offload_optimizer: bool
    offload_policy: bool
    """FSDP2 keeps weights, gradients and optimizer state in host memory even during the update."""
    recompute: bool
    """Activations are computed again in the backward pass instead of being kept."""
    packed: bool
    """Sequences of a micro batch lie end to end instead of being padded to the longest."""
    logits: LogitsPath
    tokens: int
    """Most tokens of a micro batch on one GPU."""
    longest: int
    """Tokens of the longest sequence, prompt and response."""
    rollouts: int
    """Rollouts of a step."""

    @property
    def data(self) -> int:
        """Copies of the model that share a batch."""
        return self.world // (self.tensor * self.pipeline * self.context)

    @property
    def on_cpu(self) -> bool:
        """Whether the run has no GPU: only there logits are in fp32."""
        return self.logits == "float32"

    @property
    def megatron(self) -> bool:
        """Whether Megatron trains, else FSDP2."""
        return self.engine == "megatron"
