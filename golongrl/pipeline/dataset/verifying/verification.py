"""Verification of finished records: independent answerers must agree with the gold answer and with no other, and must
need the documents, and of these the evidence alone, to find it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from golongrl.core.errors import ConfigError
from golongrl.core.records import Record
from golongrl.pipeline.dataset.calls import Call, Calls
from golongrl.pipeline.dataset.collect import Progress, silent
from golongrl.pipeline.dataset.llm_settings import ModelConfig, VerifyConfig
from golongrl.pipeline.dataset.reporting.phase_facts import VerifiedGroup, VerifyFacts
from golongrl.pipeline.dataset.verifying import judging, necessity
from golongrl.pipeline.dataset.verifying.rollouts import (
    Answer,
    Records,
    answered,
    calls_for,
    own_messages,
    pass_mark,
    passes,
    record_key,
    track_of,
    turns,
)
from golongrl.pipeline.dataset.verifying.rounds import added, added_each


class _Test(NamedTuple):
    prompt: Callable[[Record], necessity.Messages | necessity.Untestable]
    judge: Callable[[Record, Sequence[Answer], VerifyConfig], str | None]
    by_luck: bool
    """Whether right answers refuse a record, so that luck could."""


TESTS: dict[str, _Test] = {
    "closed_book": _Test(necessity.closed_book, judging.judge_closed_book, True),
    "without_evidence": _Test(necessity.without_evidence, judging.judge_without_evidence, True),
    "evidence_only": _Test(necessity.evidence_only, judging.judge_evidence_only, False),
}
"""Field of `extra_info` -> the prompt whose answers it holds, and what they say."""
STAGES = (("closed_book",), ("without_evidence", "evidence_only"))
"""The cheap test first: what it refuses is not asked again."""


@dataclass
class Verdict:
    """Whether a record stays, why not, and what goes into its `extra_info`: the scores of the votes
    (`verifier_votes`, given by `verifiers`) and of the answers to each necessity prompt. Answers that say nothing are
    left out; a prompt that was not asked has no field."""

    kept: bool = True
    reason: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)

    def refuse(self, reason: str | None) -> None:
        """Drop the record unless the reason is None; the first reason stands."""
        if reason is not None and self.kept:
            self.kept, self.reason = False, reason


def verify(
    calls: Calls,
    records: Records,
    config: VerifyConfig,
    *,
    seed: int,
    names: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> tuple[list[Verdict], VerifyFacts]:
    """A verdict per record, in order, and the facts; records of other tracks are kept without a look.

    `names` gives the identity by which the records know a model (default: the name of its entry). Raises
    CheckFailedError when calls failed for good; the same command asks for the rest.
    """
    names = names or {}
    verdicts: list[Verdict] = []
    tally = _Tally(names)
    models = turns(config.answerers, config.votes)

    def votes(number: int, record: Record) -> list[Call]:
        if track_of(record) not in config.tracks:
            return []
        return calls_for(own_messages(record), models, seed=seed, stage="vote", key=record_key(record))

    for number, record, answers in answered(calls, records, votes, label="verify: votes", progress=progress):
        verdict = Verdict()
        verdicts.append(verdict)
        if answers:
            heard = judging.telling(record, answers, config)
            verdict.fields["verifier_votes"] = [answer.value for answer in heard]
            verdict.fields["verifiers"] = [names.get(answer.model, answer.model) for answer in heard]
            verdict.refuse(judging.judge_votes(record, answers, config, calls.think))
            tally.votes(number, record, answers, config)
    for stage in STAGES if config.necessity else ():
        _test(stage, calls, records, config, verdicts, tally, seed, progress)
    return verdicts, tally.facts(verdicts)


def _test(
    stage: Sequence[str],
    calls: Calls,
    records: Records,
    config: VerifyConfig,
    verdicts: Sequence[Verdict],
    tally: "_Tally",
    seed: int,
    progress: Progress,
) -> None:
    """Ask the prompts of one stage about every record that is still kept, and judge the answers."""
    models = turns(config.answerers, config.necessity_votes)
    untested: dict[tuple[int, str], str] = {}
    kept = {number for number in tally.groups if verdicts[number].kept}

    def plan(number: int, record: Record) -> list[Call]:
        planned: list[Call] = []
        for test in stage if number in kept else ():
            messages = TESTS[test].prompt(record)
            if isinstance(messages, necessity.Untestable):
                untested[number, test] = messages.reason
            else:
                planned += calls_for(messages, models, seed=seed, stage=test, key=record_key(record))
        return planned

    label = f"verify: {', '.join(stage).replace('_', ' ')}"
    for number, record, answers in answered(calls, records, plan, label=label, progress=progress):
        for test in stage if number in kept else ():
            if (number, test) in untested:
                tally.tests[test][untested[number, test]] += 1
                continue
            own, answers = answers[: len(models)], answers[len(models) :]
            heard = judging.telling(record, own, config)
            verdicts[number].fields[test] = [answer.value for answer in heard]
            verdicts[number].refuse(TESTS[test].judge(record, own, config))
            tally.tests[test][judging.outcome(record, own, config, by_luck=TESTS[test].by_luck)] += 1
            tally.silences(own, heard)


def notes(config: VerifyConfig, models: Mapping[str, ModelConfig], generators: Collection[str]) -> list[str]:
    """What speaks against the answerers: being the generator's own model, being all one model, repeating themselves.

    `generators` are the entries of `models` that ask questions. Raises ConfigError for an answerer without an entry.
    """
    missing = [name for name in config.answerers if name not in models]
    if missing:
        raise ConfigError(
            f"verify.answerers names {missing[0]!r}, which models does not have; add [models.{missing[0]}], or take "
            f"from {', '.join(models) or 'none yet'}"
        )
    found = []
    voting = Counter(turns(config.answerers, config.votes))
    made_by = {models[name].model for name in generators if name in models}
    for name, votes in voting.items():
        if models[name].model in made_by:
            found.append(
                f"the answerer {name} is the generator's own model ({models[name].model}) and may repeat its "
                "mistakes: its votes are no independent check"
            )
        if votes > 1 and models[name].temperature == 0:
            found.append(f"the answerer {name} votes {votes} times at temperature 0, which makes one vote of them")
    if voting.total() > 1 and len({models[name].model for name in voting}) == 1:
        found.append("all votes come from one model: what it takes for granted passes unnoticed")
    return found


def together(first: VerifyFacts, second: VerifyFacts) -> VerifyFacts:
    """The facts of two rounds as one."""
    groups: dict[tuple[str, str], VerifiedGroup] = {}
    for group in (*first["groups"], *second["groups"]):
        known = groups.setdefault(
            (group["track"], group["capability"]), {**group, "records": 0, "kept": 0, "reasons": {}}
        )
        known["records"] += group["records"]
        known["kept"] += group["kept"]
        known["reasons"] = added(known["reasons"], group["reasons"])
    return {
        "records": first["records"] + second["records"],
        "kept": first["kept"] + second["kept"],
        "reasons": added(first["reasons"], second["reasons"]),
        "votes": added(first["votes"], second["votes"]),
        "tests": {test: added(first["tests"].get(test, {}), second["tests"].get(test, {})) for test in TESTS},
        "groups": [groups[key] for key in sorted(groups)],
        "abstentions": added_each(first.get("abstentions", {}), second.get("abstentions", {})),
    }


class _Tally:
    """The facts, counted as answers come in."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names
        self.groups: dict[int, tuple[str, str]] = {}
        """Number of each record that was verified -> its track and capability."""
        self.histogram: Counter[tuple[int, int]] = Counter()
        self.abstentions: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.tests: dict[str, Counter[str]] = {test: Counter() for test in TESTS}

    def votes(self, number: int, record: Record, answers: Sequence[Answer], config: VerifyConfig) -> None:
        heard = judging.telling(record, answers, config)
        mark = pass_mark(record, config)
        self.groups[number] = track_of(record), str(record.extra_info.get("capability") or record.metric)
        self.histogram[sum(a.value is not None and passes(a.value, mark) for a in heard), len(heard)] += 1
        self.silences(answers, heard)

    def silences(self, answers: Sequence[Answer], heard: Sequence[Answer]) -> None:
        for answer in answers:
            if answer not in heard:
                reason = "truncated" if answer.value is not None else answer.reason
                self.abstentions[self.names.get(answer.model, answer.model)][reason] += 1

    def facts(self, verdicts: Sequence[Verdict]) -> VerifyFacts:
        members: defaultdict[tuple[str, str], list[Verdict]] = defaultdict(list)
        for number, group in self.groups.items():
            members[group].append(verdicts[number])
        seen = [verdicts[number] for number in self.groups]
        return {
            "records": len(seen),
            "kept": sum(verdict.kept for verdict in seen),
            "reasons": _reasons(seen),
            "votes": {f"{right} of {heard}": n for (right, heard), n in sorted(self.histogram.items())},
            "abstentions": {model: dict(sorted(why.items())) for model, why in sorted(self.abstentions.items())},
            "tests": {test: dict(sorted(counts.items())) for test, counts in self.tests.items()},
            "groups": [
                {
                    "track": track,
                    "capability": capability,
                    "records": len(found),
                    "kept": sum(verdict.kept for verdict in found),
                    "reasons": _reasons(found),
                }
                for (track, capability), found in sorted(members.items())
            ],
        }


def _reasons(verdicts: Sequence[Verdict]) -> dict[str, int]:
    return dict(sorted(Counter(verdict.reason for verdict in verdicts if verdict.reason is not None).items()))
