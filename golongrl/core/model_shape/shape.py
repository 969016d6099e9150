"""A decoder-only transformer as groups of equal layers, and its parameters by how parallelism spreads them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from golongrl.core.model_shape.parts import Attention, FeedForward, Mixer


@dataclass(frozen=True)
class Layers:
    """Layers that are alike."""

    count: int
    mixer: Mixer
    feed: FeedForward
    norms: int = 2
    """Norms of hidden size in a layer."""

    def shared(self, hidden: int) -> int:
        """Parameters of one layer that every token uses."""
        return self.mixer.split(hidden) + self.feed.dense(hidden) + self.replicated(hidden)

    def replicated(self, hidden: int) -> int:
        """Norms, routers and what else tensor parallelism does not split, of one layer."""
        return self.norms * hidden + self.mixer.replicated(hidden) + self.feed.router(hidden)


@dataclass(frozen=True)
class Parameters:
    """Parameter counts by how parallelism spreads them."""

    embedding: int
    head: int
    """0 where it is tied to the embedding."""
    attention: int
    """Projections of all layers, with their biases; of recurrent layers too."""
    mlp: int
    """Feed-forward weights of all dense layers, and of shared experts."""
    experts: int
    replicated: int
    """Norms and routers (and down projections of MLA), of which every tensor-parallel rank has all."""
    largest_layer: int
    """Everything in the largest decoder layer."""
    active_experts: int
    """The experts that one token uses."""

    @property
    def sharded(self) -> int:
        """What tensor parallelism splits."""
        return self.embedding + self.head + self.attention + self.mlp

    @property
    def total(self) -> int:
        """Every parameter once."""
        return self.sharded + self.experts + self.replicated

    @property
    def active(self) -> int:
        """What one token uses, the embedding counted whole, as published figures do."""
        return self.sharded + self.active_experts + self.replicated

    @property
    def body(self) -> int:
        """What every token is multiplied with in the layers: active without embedding and head."""
        return self.attention + self.mlp + self.active_experts + self.replicated


@dataclass(frozen=True)
class Shape:
    """The dimensions of a decoder-only transformer."""

    hidden: int
    vocab: int
    tied: bool
    groups: tuple[Layers, ...]

    @property
    def layers(self) -> int:
        """All decoder layers."""
        return sum(group.count for group in self.groups)

    @property
    def mixers(self) -> list[Mixer]:
        """The kinds of token mixing, softmax attention before others."""
        return sorted({group.mixer for group in self.groups}, key=lambda mixer: not isinstance(mixer, Attention))

    @property
    def heads(self) -> int:
        """Heads of the first kind of attention."""
        return self.mixers[0].heads

    @property
    def kv_heads(self) -> int:
        """Key-value heads of the first kind of attention."""
        return self.mixers[0].kv_heads

    @property
    def experts(self) -> int:
        """Experts of a layer that has them."""
        return max(group.feed.experts for group in self.groups)

    def divides(self, tensor: int) -> bool:
        """Whether so many ranks can share the heads; key-value heads are copied where there are fewer."""
        return all(
            mixer.heads % tensor == 0 and (mixer.kv_heads % tensor == 0 or tensor % mixer.kv_heads == 0)
            for mixer in self.mixers
        )

    @cached_property
    def parameters(self) -> Parameters:
        """Exact parameter counts, equal to those of the transformers model."""
        h, groups = self.hidden, self.groups
        return Parameters(
            embedding=self.vocab * h,
            head=0 if self.tied else self.vocab * h,
            attention=sum(group.count * group.mixer.split(h) for group in groups),
            mlp=sum(group.count * group.feed.dense(h) for group in groups),
            experts=sum(group.count * group.feed.of_experts(h) for group in groups),
            replicated=sum(group.count * group.replicated(h) for group in groups) + h,
            largest_layer=max(group.shared(h) + group.feed.of_experts(h) for group in groups),
            active_experts=sum(
                group.count * group.feed.of_experts(h, group.feed.experts_per_token) for group in groups
            ),
        )


def grouped(layers: Iterable[tuple[Mixer, FeedForward]], norms: int = 2) -> tuple[Layers, ...]:
    """Layers one by one as groups of equal ones, in the order of their first."""
    return tuple(Layers(number, mixer, feed, norms) for (mixer, feed), number in Counter(layers).items())


def attended(length: int, window: int | None = None, first: int = 0) -> int:
    """Positions that the tokens first + 1 .. length of a causal sequence attend to in all, themselves included."""

    def upto(tokens: int) -> int:
        wide = tokens if window is None else min(tokens, window)
        return wide * (wide + 1) // 2 + (tokens - wide) * wide

    return upto(length) - upto(first)
