"""FLOPs of a forward pass: what grows with the tokens, and what grows with their square.

A parameter that multiplies a token is 2 FLOPs. Softmax attention of a token to c positions is 4 x heads x head_dim x
c (scores and values, 2 each); causal masks are taken to save the other half, as the kernels do. Windowed layers stop
at the window, recurrent ones pay for their state alone.
"""

from dataclasses import dataclass

from golongrl.core.model_shape.parts import Recurrent
from golongrl.core.model_shape.shape import Shape, attended


@dataclass(frozen=True)
class Work:
    """FLOPs."""

    matrices: float
    """Projections, feed-forward, states: in proportion to the tokens."""
    attention: float
    """Scores and values: with the square of the length where layers see everything."""
    head: float
    """Logits."""

    @property
    def total(self) -> float:
        """All of it."""
        return self.matrices + self.attention + self.head

    def times(self, number: float) -> "Work":
        """The work of so many."""
        return Work(number * self.matrices, number * self.attention, number * self.head)

    def plus(self, other: "Work") -> "Work":
        """Both."""
        return Work(self.matrices + other.matrices, self.attention + other.attention, self.head + other.head)


def forward(shape: Shape, length: int, *, logits: int | None = None) -> Work:
    """A sequence of `length` tokens from its start; `logits` is how many tokens get them, None all."""
    states = sum(
        group.count * group.mixer.state_flops for group in shape.groups if isinstance(group.mixer, Recurrent)
    )
    mixing = sum(
        group.count * group.mixer.mixing_flops(attended(length, group.mixer.window)) for group in shape.groups
    )
    head = 2 * shape.hidden * shape.vocab * (length if logits is None else logits)
    return Work((2 * shape.parameters.body + states) * length, mixing, head)


def decode(shape: Shape, context: int) -> Work:
    """One further token of a sequence that has `context` tokens."""
    one = forward(shape, 1)
    mixing = 0
    for group in shape.groups:
        seen = context if group.mixer.window is None else min(context, group.mixer.window)
        mixing += group.count * group.mixer.mixing_flops(seen, decode=True)
    return Work(one.matrices, mixing, one.head)


def update(shape: Shape, length: int, *, recompute: bool) -> Work:
    """Forward and backward pass of a sequence, its forward pass once more where activations are recomputed.

    The backward pass is twice the forward one in matrices and 2.5 times in attention (FlashAttention-2,
    arXiv 2307.08691, computes the scores again).
    """
    once, again = forward(shape, length), int(recompute)
    return Work((3 + again) * once.matrices, (3.5 + again) * once.attention, 3 * once.head)
