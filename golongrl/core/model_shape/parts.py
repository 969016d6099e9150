"""What a decoder layer is made of: kinds of token mixing and the feed-forward part, with parameters, cache, FLOPs.

Every mixer answers the same questions, so that whatever adds up layers need not know their kinds. Symbols: h hidden
size, c tokens of context, t tensor-parallel size. FLOPs count a multiply-add as two.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Attention:
    """Softmax attention with grouped key-value heads: MHA where both counts are equal, MQA with one, else GQA."""

    heads: int
    kv_heads: int
    head_dim: int
    window: int | None = None
    """Tokens a query sees; None is all of them."""
    qk_norm: bool = False
    qkv_bias: bool = False
    output_bias: bool = False
    gated: bool = False
    """The query projection also makes a gate for the output (Qwen3-Next)."""
    sinks: bool = False
    """One learned logit per head (gpt-oss)."""

    @property
    def kind(self) -> str:
        """For people."""
        name = "MHA" if self.kv_heads == self.heads else "MQA" if self.kv_heads == 1 else "GQA"
        return name if self.window is None else f"{name}, window of {self.window:,}"

    @property
    def query_width(self) -> int:
        """heads x head_dim."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """kv_heads x head_dim."""
        return self.kv_heads * self.head_dim

    def split(self, hidden: int) -> int:
        """Parameters that tensor parallelism splits."""
        q, kv = self.query_width, self.kv_width
        weights = hidden * q * (3 if self.gated else 2) + 2 * hidden * kv
        biases = (q + 2 * kv if self.qkv_bias else 0) + (hidden if self.output_bias else 0)
        return weights + biases + (self.heads if self.sinks else 0)

    def replicated(self, hidden: int) -> int:
        """Parameters of which every tensor-parallel rank has all."""
        return 2 * self.head_dim if self.qk_norm else 0

    def copied(self, hidden: int, tensor: int) -> int:
        """Further copies of key and value projections where there are fewer heads than ranks."""
        return (max(1, tensor // self.kv_heads) - 1) * 2 * hidden * self.kv_width

    def cached(self, tensor: int) -> int:
        """Numbers one token leaves in the cache of one of `tensor` ranks."""
        return 2 * max(1, -(-self.kv_heads // tensor)) * self.head_dim

    def cached_tokens(self, length: int) -> int:
        """Tokens of a sequence that stay in the cache."""
        return length if self.window is None else min(length, self.window)

    def state_bytes(self, tensor: int) -> int:
        """Bytes a sequence takes on one rank whatever its length."""
        return 0

    def mixing_flops(self, attended: int, decode: bool = False) -> int:
        """FLOPs besides the projections of tokens that attend to `attended` positions in all."""
        return 4 * self.query_width * attended


@dataclass(frozen=True)
class LatentAttention:
    """Multi-head latent attention (MLA, arXiv 2405.04434): the cache holds one latent and one rotary key per token.

    The cache has no heads to split, so every tensor-parallel rank holds all of it.
    """

    heads: int
    kv_rank: int
    nope_dim: int
    """Dimensions of a query head without rotary embedding."""
    rope_dim: int
    value_dim: int
    query_rank: int | None = None
    """None projects queries directly."""
    bias: bool = False
    """Biases of the two down projections and of the output."""

    window = None
    kind = "MLA"

    @property
    def kv_heads(self) -> int:
        """Heads are what tensor parallelism splits here."""
        return self.heads

    @property
    def query_width(self) -> int:
        """Width of all query heads."""
        return self.heads * (self.nope_dim + self.rope_dim)

    @property
    def kv_width(self) -> int:
        """Mean width of keys and values once they are written out for prefill and training."""
        return self.heads * (self.nope_dim + self.rope_dim + self.value_dim) // 2

    def split(self, hidden: int) -> int:
        """Parameters that tensor parallelism splits: the up projections and the output."""
        queries = (self.query_rank or hidden) * self.query_width
        key_values = self.kv_rank * self.heads * (self.nope_dim + self.value_dim)
        return queries + key_values + self.heads * self.value_dim * hidden + (hidden if self.bias else 0)

    def replicated(self, hidden: int) -> int:
        """Down projections and their norms."""
        width = self.kv_rank + self.rope_dim
        down = hidden * width + self.kv_rank + (width if self.bias else 0)
        if self.query_rank:
            down += hidden * self.query_rank + self.query_rank + (self.query_rank if self.bias else 0)
        return down

    def copied(self, hidden: int, tensor: int) -> int:
        """Nothing: what every rank has is in `replicated`."""
        return 0

    def cached(self, tensor: int) -> int:
        """Numbers one token leaves in the cache, on every rank."""
        return self.kv_rank + self.rope_dim

    def cached_tokens(self, length: int) -> int:
        """All of them."""
        return length

    def state_bytes(self, tensor: int) -> int:
        """None."""
        return 0

    def mixing_flops(self, attended: int, decode: bool = False) -> int:
        """Prefill writes the heads out; decode absorbs the up projections and works on the latent."""
        width = 2 * self.kv_rank + self.rope_dim if decode else self.nope_dim + self.rope_dim + self.value_dim
        return 2 * self.heads * width * attended


@dataclass(frozen=True)
class Recurrent:
    """A layer whose memory is a state of constant size: linear attention, gated delta net, Mamba."""

    kind: str
    heads: int
    """What tensor parallelism must divide."""
    split_parameters: int
    replicated_parameters: int
    state: int
    """Numbers of the state of one sequence, kept in fp32."""
    convolution: int
    """Numbers of the convolution's window of one sequence, kept in bf16."""
    query_width: int
    """Width of what autograd keeps of the queries (Mamba: of the inner part)."""
    kv_width: int

    window = None

    @property
    def kv_heads(self) -> int:
        """As many as heads."""
        return self.heads

    def split(self, hidden: int) -> int:
        """Parameters that tensor parallelism splits."""
        return self.split_parameters

    def replicated(self, hidden: int) -> int:
        """Parameters of which every tensor-parallel rank has all."""
        return self.replicated_parameters

    def copied(self, hidden: int, tensor: int) -> int:
        """Nothing."""
        return 0

    def cached(self, tensor: int) -> int:
        """Nothing per token."""
        return 0

    def cached_tokens(self, length: int) -> int:
        """None."""
        return 0

    def state_bytes(self, tensor: int) -> int:
        """Bytes a sequence takes on one rank whatever its length."""
        return -(-(4 * self.state + 2 * self.convolution) // tensor)

    def mixing_flops(self, attended: int, decode: bool = False) -> int:
        """The context costs nothing; `state_flops` is what a token costs."""
        return 0

    @property
    def state_flops(self) -> int:
        """FLOPs of one token on the state: decay and update of rank one, and reading it, 2 each."""
        return 6 * self.state


Mixer = Attention | LatentAttention | Recurrent


@dataclass(frozen=True)
class FeedForward:
    """The feed-forward part of a layer: dense, or experts with or without a shared part."""

    intermediate: int = 0
    """Width of a dense layer, or of the experts that every token takes."""
    experts: int = 0
    experts_per_token: int = 0
    expert_intermediate: int = 0
    matrices: int = 3
    """Gate, up and down; 2 without a gate."""
    bias: bool = False
    expert_bias: bool = False
    router_bias: bool = False
    shared_gate: bool = False

    def _weights(self, hidden: int, width: int, bias: bool) -> int:
        return self.matrices * hidden * width + ((self.matrices - 1) * width + hidden if bias else 0)

    def dense(self, hidden: int) -> int:
        """Parameters every token uses, split by tensor parallelism."""
        return self._weights(hidden, self.intermediate, self.bias) if self.intermediate else 0

    def of_experts(self, hidden: int, number: int | None = None) -> int:
        """Parameters of so many experts, of all by default."""
        each = self._weights(hidden, self.expert_intermediate, self.expert_bias)
        return each * (self.experts if number is None else number)

    def router(self, hidden: int) -> int:
        """The router, and the shared part's gate."""
        if not self.experts:
            return 0
        return hidden * self.experts + (self.experts if self.router_bias else 0) + (hidden if self.shared_gate else 0)
