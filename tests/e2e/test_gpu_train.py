"""Training on a CUDA GPU with transformers rollouts: both sides of the card compute the same log-probs."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu_train.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("gpu_train", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU on this machine")
def test_rollouts_and_trainer_agree_on_a_gpu(benchmark, tmp_path):
    config = benchmark.configuration("cuda", steps=4)
    measured = benchmark.measure(config, tmp_path / "run")
    assert [step.step for step in measured.steps] == [1, 2, 3, 4]
    for step in measured.steps:
        # Both compute in bfloat16, which keeps 8 bits of a logit. Weights that arrived late or wrong would move
        # the probabilities of the few tokens that this model finds likely by tenths.
        assert step.metrics["training/rollout_probs_diff_mean"] < 1e-2
        assert step.metrics["training/rollout_actor_probs_pearson_corr"] > 0.99
        assert abs(step.metrics["rollout_corr/k3_kl"]) < 1e-2
        assert step.metrics["actor/perf/max_memory_allocated_gb"] > 0
    # The rollout server is a process of its own on the same card.
    assert measured.card_gib > measured.steps[-1].metrics["actor/perf/max_memory_reserved_gb"]
    table = benchmark.table(config, measured)
    assert torch.cuda.get_device_name(0) in table
    assert "peak memory, whole card, GiB" in table


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA GPU")
def test_without_a_gpu_the_benchmark_says_what_is_missing():
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 3
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("no benchmark on a GPU here: torch ")
