"""Host memory of one machine: everything on a CPU run, what is offloaded, loaded and exported on a GPU run.

Symbols as in memory/update.py; M machines, p processes on each, S rollout servers on each.

CPU: weights, gradients and two moments in fp32, 16P / M. Each process gathers two layers and the root unit, keeps
every layer in full for the backward pass (nothing is recomputed), T L (24h + 16q + 16kv + 16f) and 16 bytes x k fe
for experts, logits at 20 bytes (LOGITS), and for padded batches a mask of 5 T^2. Each server has the weights in fp32
and a cache of its batch. The allocator is told to keep freed memory, so phases add up. RAY is what the twenty idle
processes of a run take, measured.

GPU with offload: the GPUs' weights and optimizer state wait in host memory. Loading: FSDP's first process reads the
model in fp32, every process does where embeddings are tied. Saving: the first process gathers it in fp32 and makes a
bf16 copy.

Left out: Ray's object store (it holds rollouts), page cache, data loader workers.
"""

from golongrl.core.memory.layout import Layout
from golongrl.core.memory.rollout import sequence_bytes
from golongrl.core.memory.rows import GIB, Row, count
from golongrl.core.memory.update import LOGITS, resident
from golongrl.core.model_shape.shape import Shape

RAY = round(4.5 * GIB)
"""Proportional set size of a CPU run with a model too small to matter: 4.3 to 4.6 GiB."""

MAX_SEQUENCES = 256
"""verl's rollout.max_num_seqs: sequences a rollout server batches."""

PHASE = "host"


def host_rows(shape: Shape, cut: Layout) -> list[Row]:
    """Host memory of the machine that takes the most."""
    return _cpu_rows(shape, cut) if cut.on_cpu else _gpu_rows(shape, cut)


def _cpu_rows(shape: Shape, cut: Layout) -> list[Row]:
    counts = shape.parameters
    machines, tokens = cut.world // cut.per_node, cut.tokens
    here, each = counts.total / machines, f"{count(counts.total)} / {machines} machines"
    servers = max(1, cut.per_node // cut.rollout_tensor)
    per_token = sum(
        group.count
        * (
            24 * shape.hidden
            + 16 * (group.mixer.query_width + group.mixer.kv_width + group.feed.intermediate)
            + 16 * group.feed.experts_per_token * group.feed.expert_intermediate
        )
        for group in shape.groups
    )
    unit = 2 * counts.largest_layer + counts.embedding
    batch = min(MAX_SEQUENCES, -(-cut.rollouts // (servers * machines)))
    sequence = sequence_bytes(shape, cut.longest, 1, 4)
    rows = [
        Row(PHASE, "Ray and idle processes", RAY, "measured"),
        Row(PHASE, "weights", round(4 * here), f"4 bytes x {each}"),
        Row(PHASE, "gradients", round(4 * here), f"4 bytes x {each}"),
        Row(PHASE, "optimizer", round(8 * here), f"8 bytes x {each}"),
        Row(PHASE, "gathered weights", 4 * unit * cut.per_node, f"{cut.per_node} x 4 bytes x {count(unit)}"),
        Row(
            PHASE,
            "activations",
            cut.per_node * tokens * per_token,
            f"{cut.per_node} x {tokens:,} tokens x {per_token:,} bytes in {shape.layers} layers",
        ),
        Row(
            PHASE,
            "logits",
            cut.per_node * tokens * shape.vocab * LOGITS["float32"],
            f"{cut.per_node} x {tokens:,} tokens x {shape.vocab:,} words x {LOGITS['float32']} bytes",
        ),
    ]
    if not cut.packed:
        mask = 5 * cut.per_node * tokens**2
        rows.append(Row(PHASE, "attention mask", mask, f"{cut.per_node} x 5 bytes x {tokens:,} x {tokens:,} tokens"))
    return [
        *rows,
        Row(
            PHASE,
            "rollout weights",
            4 * counts.total * servers,
            f"{servers} servers x 4 bytes x {count(counts.total)}",
        ),
        Row(
            PHASE,
            "rollout cache",
            servers * batch * sequence,
            f"{servers} servers x {batch} sequences of {cut.longest:,} tokens x {sequence:,} bytes",
        ),
    ]


def _gpu_rows(shape: Shape, cut: Layout) -> list[Row]:
    counts = shape.parameters
    held, rows = resident(shape, cut), []
    if cut.offload_policy:
        here = counts.total * cut.per_node / cut.world
        how = f"16 bytes x {count(counts.total)} x {cut.per_node} / {cut.world} processes"
        rows.append(Row(PHASE, "weights, gradients, optimizer", round(16 * here), how))
    elif cut.offload_parameters:
        rows.append(
            Row(
                PHASE,
                "offloaded weights",
                cut.per_node * held.weights,
                f"{cut.per_node} GPUs x {held.weights:,} bytes",
            )
        )
    if cut.offload_optimizer and not cut.offload_policy:
        rows.append(
            Row(
                PHASE,
                "offloaded optimizer",
                cut.per_node * held.optimizer,
                f"{cut.per_node} GPUs x {held.optimizer:,} bytes",
            )
        )
    if not cut.megatron:
        readers = cut.per_node if shape.tied else 1
        whole = max(4 * readers, 6) * counts.total
        how = f"{readers} x 4 bytes" if 4 * readers > 6 else "6 bytes"
        rows.append(Row(PHASE, "loading and saving the model", whole, f"{how} x {count(counts.total)}"))
    if cut.rollout == "transformers":
        servers = max(1, cut.per_node // cut.rollout_tensor)
        rows.append(
            Row(
                PHASE,
                "rollout weights",
                2 * counts.total * servers,
                f"{servers} servers x 2 bytes x {count(counts.total)}",
            )
        )
    return rows
