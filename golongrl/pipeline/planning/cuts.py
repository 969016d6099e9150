"""Which sizes of tensor, pipeline, context and expert parallelism a model can be cut into, and why not others."""

from dataclasses import dataclass, field

from golongrl.core.model_shape.shape import Shape
from golongrl.pipeline.planning.quantities import Gpus


@dataclass(frozen=True)
class Cut:
    """One kind of parallelism."""

    kind: str
    divides: str
    """What is shared among the ranks."""
    sizes: list[int]
    notes: dict[int, str] = field(default_factory=dict)
    """What to know about a size that works."""
    refused: dict[int, str] = field(default_factory=dict)
    """Sizes that divide the GPUs and not the model, with the reason."""


def cuts(shape: Shape, gpus: Gpus) -> list[Cut]:
    """What divides, for sizes that divide the GPUs."""
    world, node = divisors(gpus.world), divisors(gpus.per_node)
    return [_tensor(shape, node), _pipeline(shape, world), *_context(shape, world), _expert(shape, world)]


def divisors(number: int) -> list[int]:
    """The whole numbers that divide another."""
    return [size for size in range(1, number + 1) if number % size == 0]


def _tensor(shape: Shape, sizes: list[int]) -> Cut:
    heads, kv = shape.heads, shape.kv_heads
    latent = all(mixer.kind == "MLA" for mixer in shape.mixers)
    what = f"{heads} heads" if latent else f"{heads} heads, {kv} key-value heads"
    cut = Cut("tensor", f"{what}; within a machine", [size for size in sizes if shape.divides(size)])
    for size in sizes:
        if size not in cut.sizes:
            cut.refused[size] = _why_heads(shape, size)
        elif latent and size > 1:
            cut.notes[size] = "the latent cache is whole on every GPU, unless attention is split by data"
        elif size > kv:
            cut.notes[size] = f"{kv} key-value heads, each on {size // kv} GPUs: the cache shrinks no further"
    return cut


def _pipeline(shape: Shape, sizes: list[int]) -> Cut:
    cut = Cut("pipeline", f"{shape.layers} layers", [size for size in sizes if size <= shape.layers])
    uneven = f"{shape.layers} layers do not divide evenly: servers allow it, Megatron does not"
    cut.notes.update({size: uneven for size in cut.sizes if shape.layers % size})
    cut.refused.update({size: "a stage needs a layer" for size in sizes if size > shape.layers})
    return cut


def _context(shape: Shape, sizes: list[int]) -> list[Cut]:
    ulysses = Cut("context, Ulysses (FSDP)", f"{shape.heads} heads", [size for size in sizes if shape.divides(size)])
    ulysses.refused.update({size: _why_heads(shape, size) for size in sizes if size not in ulysses.sizes})
    recurrent = sorted({mixer.kind for mixer in shape.mixers if mixer.cached(1) == 0})
    ring = Cut("context, ring (Megatron)", "the sequence, in 2 x size chunks", [] if recurrent else sizes)
    if recurrent:
        ring.sizes.append(1)
        why = f"layers of {' and '.join(recurrent)} read a sequence in order, and ring attention does not pass states"
        ring.refused.update({size: why for size in sizes if size > 1})
    return [ulysses, ring]


def _expert(shape: Shape, sizes: list[int]) -> Cut:
    if not shape.experts:
        return Cut("expert", "no experts", [1])
    cut = Cut("expert", f"{shape.experts} experts", [size for size in sizes if shape.experts % size == 0])
    cut.refused.update(
        {size: f"{shape.experts} experts do not divide evenly" for size in sizes if size not in cut.sizes}
    )
    return cut


def _why_heads(shape: Shape, size: int) -> str:
    for mixer in shape.mixers:
        if mixer.heads % size:
            return f"{mixer.heads} heads ({mixer.kind}) do not divide evenly"
        if mixer.kv_heads % size and size % mixer.kv_heads:
            return f"{mixer.kv_heads} key-value heads neither divide {size} nor are divided by it"
    raise AssertionError(size)
