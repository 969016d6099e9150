"""Makes the transformers rollout engine known to verl, without importing it yet."""

from verl.workers.rollout import base
from verl.workers.rollout.replica import RolloutReplicaRegistry


def _load_replica() -> type:
    from golongrl.pipeline.training.verl_plugin.rollout import TransformersReplica

    return TransformersReplica


RolloutReplicaRegistry.register("transformers", _load_replica)
base._ROLLOUT_REGISTRY[("transformers", "async")] = (
    "golongrl.pipeline.training.verl_plugin.rollout.TransformersAdapter"
)
