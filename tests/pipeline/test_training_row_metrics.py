"""Numbers per task that need tokens: lengths, cut-off answers, IcePop, the clip."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from golongrl.pipeline.training.verl_plugin.row_metrics import row_metrics


def test_lengths_and_masked_tokens_per_task_by_hand():
    found = row_metrics(["em", "em", "f1"], [True, False, True], np.array([4, 8, 6]), 8, np.array([1, 2, 3]))
    assert found == {
        "task/em/response_tokens": 6.0,
        "task/em/truncated": 0.5,
        "task/em/unscorable": 0.5,
        "task/em/icepop_share": 0.25,
        "task/f1/response_tokens": 6.0,
        "task/f1/truncated": 0.0,
        "task/f1/unscorable": 0.0,
        "task/f1/icepop_share": 0.5,
    }


def test_without_icepop_there_is_no_masked_share():
    assert "task/em/icepop_share" not in row_metrics(["em"], [True], np.array([4]), 8)


def test_clipped_tokens_are_those_whose_gradient_is_cut():
    from golongrl.pipeline.training.verl_plugin.task_loss import clipped_tokens

    ratios = torch.tensor([[0.7, 1.0, 1.3, 3.5]])
    up = clipped_tokens(ratios.log(), torch.ones(1, 4), 0.2, 0.28, 3.0)
    down = clipped_tokens(ratios.log(), -torch.ones(1, 4), 0.2, 0.28, 3.0)
    none = clipped_tokens(ratios.log(), torch.zeros(1, 4), 0.2, 0.28, 3.0)
    assert up.tolist() == [[False, False, True, True]]
    assert down.tolist() == [[True, False, False, True]]
    assert not none.any()


def test_the_clipped_tokens_are_the_ones_verl_counts():
    from verl.trainer.ppo.core_algos import compute_policy_loss_vanilla

    from golongrl.pipeline.training.verl_plugin.task_loss import clipped_tokens

    torch.manual_seed(0)
    log_ratio, advantages = torch.randn(8, 16), torch.randn(8, 1).expand(8, 16)
    mask = torch.rand(8, 16) > 0.3
    config = SimpleNamespace(
        clip_ratio=0.2, clip_ratio_low=0.2, clip_ratio_high=0.28, global_batch_info={}, get=lambda _, default: default
    )
    _, metrics = compute_policy_loss_vanilla(
        torch.zeros(8, 16), log_ratio, advantages, mask, "token-mean", config=config
    )
    ours = clipped_tokens(log_ratio, advantages, 0.2, 0.28, 3.0)[mask].float().mean().item()
    assert ours == pytest.approx(metrics["actor/pg_clipfrac"] + metrics["actor/pg_clipfrac_lower"], abs=1e-6)


def test_clip_shares_are_taken_out_of_the_counts():
    from golongrl.core.tasks import METRICS
    from golongrl.pipeline.training.verl_plugin.task_loss import clip_shares

    metrics = {f"actor/{name}/{task}": 0.0 for task in METRICS for name in ("clip_tokens", "clip_clipped")}
    metrics |= {"actor/clip_tokens/em": 8.0, "actor/clip_clipped/em": 2.0, "actor/lr": 1.0}
    assert clip_shares(metrics) == {"task/em/clip_share": 0.25}
    assert metrics == {"actor/lr": 1.0}
