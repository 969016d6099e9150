"""Writes a real verl checkpoint of a model that two FSDP2 processes share on a CPU, every weight raised by 0.01.

Usage: python fsdp_checkpoint.py BASE OUT RENDEZVOUS RANK. The checkpoint in OUT/shards/global_step_3 holds only
shards, the one in OUT/exported/global_step_4 also the exported model.
"""

import os
import sys
from pathlib import Path

WORLD = 2


def main() -> None:
    """Shard, change and save."""
    base, out, rendezvous, rank = sys.argv[1:]
    os.environ |= {
        "VERL_PLATFORM": "cpu",
        "VERL_ENGINE_DEVICE": "cuda",
        "VERL_USE_EXTERNAL_MODULES": "golongrl.pipeline.training.verl_plugin.cpu_platform",
    }
    import torch
    import transformers
    from torch.distributed.fsdp import fully_shard
    from verl.utils.checkpoint.fsdp_checkpoint_manager import FSDPCheckpointManager

    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=int(rank), world_size=WORLD)
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01)
    mesh = torch.distributed.init_device_mesh("cpu", (WORLD,), mesh_dim_names=("fsdp",))
    for layer in model.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    for name, step, contents in (("shards", 3, ["model"]), ("exported", 4, ["model", "hf_model"])):
        settings = {"save_contents": contents, "load_contents": contents}
        manager = FSDPCheckpointManager(model, processing_class=tokenizer, checkpoint_config=settings)
        manager.save_checkpoint(str(Path(out) / name / f"global_step_{step}" / "actor"), global_step=step)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
