"""What a reader must know beside the numbers of a comparison."""

from collections import Counter
from collections.abc import Mapping, Sequence

from golongrl.pipeline.comparison.reading import BenchRun, Run
from golongrl.pipeline.comparison.scores import BenchComparison, ScoreComparison
from golongrl.pipeline.comparison.settings import SettingDifference
from golongrl.pipeline.comparison.training import TrainingComparison
from golongrl.pipeline.comparison.verdict import FEW_CLUSTERS

_NAMED = 3
"""Ids that are named of those left out; compare.json holds all."""


def remarks(
    runs: Sequence[Run],
    differences: Mapping[str, Sequence[SettingDifference]],
    result: ScoreComparison | TrainingComparison,
) -> list[str]:
    """Lines for people, the gravest first; `runs` starts with the baseline."""
    lines = []
    for run, found in differences.items():
        grave = [str(difference) for difference in found if difference.forbids]
        if grave:
            lines.append(f"{run}: compared although settings differ: {'; '.join(grave)}")
    if isinstance(result, TrainingComparison):
        lines += _training(result)
    else:
        lines += _evaluation(runs, result)
    for run, found in differences.items():
        noted = [str(difference) for difference in found if not difference.forbids]
        if noted:
            lines.append(f"{run}: also differs in {'; '.join(noted)}")
    return lines


def _evaluation(runs: Sequence[Run], result: ScoreComparison) -> list[str]:
    lines = []
    by_label = {run.label: run for run in runs}
    for run in runs:
        bare = [bench.bench for bench in run.benches.values() if bench.results is None]
        if bare:
            lines.append(f"{run.label}: no results.json beside {', '.join(bare)}, so its settings are unknown")
    for one in result.benches:
        lines += [
            f"{one.bench}, {one.run}: {line}"
            for line in _left_out(
                one, by_label[one.baseline].benches[one.bench], by_label[one.run].benches[one.bench]
            )
        ]
        if one.found.low is not None and one.found.n_clusters < FEW_CLUSTERS:
            lines.append(
                f"{one.bench}, {one.run}: {one.found.n_clusters} documents or conversations are few; below "
                f"{FEW_CLUSTERS} the interval may be too narrow"
            )
    lines += [f"{bench}, {run}: not compared, {why}" for run, bench, why in result.nothing_shared]
    return lines


def _left_out(one: BenchComparison, ours: BenchRun, theirs: BenchRun) -> list[str]:
    pairs, lines = one.pairs, []
    whole = len(pairs.items) + pairs.left_out
    for ids, why, run in (
        (pairs.only_first, f"only in {one.baseline}", None),
        (pairs.only_second, f"only in {one.run}", None),
        (pairs.unscored_first, f"no score in {one.baseline}", ours),
        (pairs.unscored_second, f"no score in {one.run}", theirs),
        (pairs.unscored_both, "no score in either", ours),
    ):
        if ids:
            named = ", ".join(ids[:_NAMED]) + (" ..." if len(ids) > _NAMED else "")
            lines.append(f"{len(ids)} of {whole} items left out: {why}{_statuses(ids, run)} ({named})")
    if pairs.partly_scored:
        lines.append(f"{len(pairs.partly_scored)} items are compared by those of their repeats that have a score")
    if pairs.other_buckets:
        lines.append(
            f"{pairs.other_buckets} items are in another bucket in {one.run} (another tokenizer); they count by "
            f"{one.baseline}'s"
        )
    return lines


def _statuses(ids: Sequence[str], run: BenchRun | None) -> str:
    if run is None:
        return ""
    wanted = set(ids)
    counts = Counter(str(s.get("status")) for s in run.samples if s["id"] in wanted and s.get("status"))
    return f", {', '.join(f'{n} {status}' for status, n in counts.most_common())}" if counts else ""


def _training(result: TrainingComparison) -> list[str]:
    lines = [
        "each run is one seed: intervals cover the prompts and the rollouts, not what another seed of training would "
        "give; where the baseline trained again with another seed moves as much, the difference is no gain"
    ]
    if result.filtered:
        lines.append(
            "filter_groups was on: prompts whose rollouts all earned the same are not in the journal, so a reward is "
            "the mean over the others and not what the model scores; validation rewards are"
        )
    last = min(result.last_steps.values())
    longer = [f"{label} ({step})" for label, step in result.last_steps.items() if step > last]
    if longer:
        lines.append(f"compared at step {last}, which all runs reached; further went {', '.join(longer)}")
    lines += [f"{label}: {n} rollouts without a reward left out" for label, n in result.unscorable.items() if n]
    paired = [end for end in result.ends if end.paired and end.left_out]
    lines += [f"{end.task}, {end.run}: {end.left_out} prompts that only one run had left out" for end in paired]
    unpaired = sorted({end.run for end in result.ends if not end.paired})
    if unpaired:
        lines.append(
            f"{', '.join(unpaired)}: other prompts than the baseline's at the end, so compared as two samples, which "
            "sees less than the same prompts would"
        )
    if not result.ends:
        lines.append("no task occurred in the last steps of both runs; pass a larger --window")
    return lines
