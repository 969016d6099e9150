"""How even the algorithms are between tasks: the recipe's proxy on synthetic mixes.

The proxy is the coefficient of variation across tasks of mean |A| (arXiv 2605.19577 reports 0.54 for dr-grpo, 0.34
for grpo and 0.18 for tmn). Run: python benchmarks/advantage_proxy.py
"""

from golongrl.pipeline.simulation.mixes import MIXES, draw
from golongrl.pipeline.simulation.replay import grouped, replay

ALGOS = ("dr-grpo", "grpo", "tmn", "tmn-reweight")


NOISE = 0.01
"""Differences up to this change with the seed."""


def verdict(dr_grpo: float, grpo: float, tmn: float) -> str:
    """Whether dr-grpo > grpo > tmn, as the recipe reports."""
    if dr_grpo - grpo > NOISE and grpo - tmn > NOISE:
        return "yes"
    return "no: grpo is the most even" if tmn - grpo > NOISE else "no: grpo and tmn are alike"


def main() -> None:
    print("Each cell: statistics of the batch / running statistics (ema)\n")
    print("| mix | constant groups | prompts per batch | " + " | ".join(ALGOS) + " | order of the paper |")
    print("| --- | --- | ---: |" + " ---: |" * len(ALGOS) + " --- |")
    for mix in MIXES:
        for filtered in (False, True):
            for prompts, batches in ((128, 128), (4096, 4)):
                drawn = grouped(list(draw(mix, batches, prompts, 16, filtered=filtered)))
                found = {
                    stats: [replay(drawn, algo, algo, task_stats=stats).unevenness for algo in ALGOS]
                    for stats in ("batch", "ema")
                }
                verdicts = {verdict(*values[:3]) for values in found.values()}
                pairs = [f"{batch:.2f} / {ema:.2f}" for batch, ema in zip(*found.values(), strict=True)]
                cells = [mix, "drawn anew" if filtered else "kept", f"{prompts:,}", *pairs]
                print("| " + " | ".join([*cells, " / ".join(sorted(verdicts))]) + " |", flush=True)


if __name__ == "__main__":
    main()
