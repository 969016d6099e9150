"""`--dry-run`: what a build would come to and how long it would take, from a sample of the sources and a few trial
records; nothing is written to the output folder."""

import math
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from golongrl.core.errors import CheckFailedError
from golongrl.core.store import content_key
from golongrl.pipeline.dataset.assign import Assignment, assign
from golongrl.pipeline.dataset.collect import Progress, collect, nothing_usable, silent
from golongrl.pipeline.dataset.compose import compose
from golongrl.pipeline.dataset.encoding import Entry
from golongrl.pipeline.dataset.library import Library, load_tokenizer
from golongrl.pipeline.dataset.questions.question_sets import collect_questions
from golongrl.pipeline.dataset.reporting.summary import refusals
from golongrl.pipeline.dataset.request import Request, bins
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.pipeline.dataset.source_file import SourceFile
from golongrl.pipeline.dataset.sources import find_files, rough_size
from golongrl.pipeline.dataset.workers import processes

SAMPLE_BYTES = 16_000_000
"""Bytes of the sources that are read; smaller sources are read whole."""
ENOUGH, MOST = 2, 10
"""Trial records per capability and length bin, and requests for them at most."""
TRIAL_SECONDS = 30.0
PER_PAIR = 4
"""Records that one form makes of one document in one length bin, about, before it repeats itself."""


def estimate(config: BuildConfig, out: Path | None = None, progress: Progress = silent) -> dict[str, Any]:
    """Documents, tokens, records per capability, and seconds per stage with the processes that a build would start.

    Raises DataError when a source is missing, CheckFailedError when the sample holds no usable document.
    """
    workers = processes(config.workers, config.ray_address, rough_size([*config.sources, *config.qa]))
    files, refused = find_files(config.sources, config.max_document_mb, out, keep_unpacked=False)
    sample, scale = _sample(files, config.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.perf_counter()
        collection = collect(folder, sample, refused, config, map, progress)
        reading = (time.perf_counter() - started) * scale
        questions = _questions(folder, config, collection.entries, out, progress)
        if not collection.entries and not questions:
            raise CheckFailedError(nothing_usable(collection))
        entries = collection.entries
        assignment = assign(entries, config.wanted)
        capabilities, constructing, prompt_tokens = _try(folder, config, entries, assignment, progress)
    read_tokens = round(sum(entry.n_tokens for entry in entries) * scale)
    return {
        "files": collection.files,
        "documents": round(len(entries) * scale),
        "tokens": read_tokens,
        "whole": scale == 1,
        "sampled_mb": sum(file.size for file in sample) / 1e6,
        "workers": workers,
        "length_bins": list(config.length_bins),
        "capabilities": [
            {
                **row,
                "documents": round(len(assignment[row["capability"]]) * scale),
                "questions": questions[row["capability"]],
                "expected": min(
                    row["wanted"], (row["expected"] if config.by_rules else 0) + questions[row["capability"]]
                ),
            }
            for row in capabilities
        ],
        "calls": _calls(config),
        "stages": [
            {"stage": "collect and assign", "tokens": read_tokens, "seconds": reading / workers},
            {"stage": "construct", "tokens": prompt_tokens, "seconds": constructing / workers},
        ],
        "refusals": refusals(collection.refused),
    }


def _questions(
    folder: Path, config: BuildConfig, entries: Sequence[Entry], out: Path | None, progress: Progress
) -> Counter[str]:
    """Capability -> questions that the sets hold; they are read whole."""
    if not config.qa:
        return Counter()
    files, refused = find_files(config.qa, config.max_document_mb, out, keep_unpacked=False)
    sets = collect_questions(folder, files, refused, config, entries, map, progress)
    return Counter(item.capability for item in sets.items)


def _calls(config: BuildConfig) -> dict[str, int]:
    """Calls to models at the most, per phase; what a phase refuses is not asked again."""
    records = sum(config.wanted.values())
    tracks = {"qa": bool(config.qa), "llm": config.asks_model, "rules": config.by_rules}
    share = records / max(1, sum(tracks.values()))
    more = config.synthesis.oversample if config.verify.answerers else 1
    verified = sum(math.ceil(share * more) for t, used in tracks.items() if used and t in config.verify.tracks)
    rated = sum(math.ceil(share) for t, used in tracks.items() if used and t in config.difficulty.tracks)
    verify, difficulty = config.verify, config.difficulty
    found = {
        "synthesis": 2 * math.ceil(share * config.synthesis.oversample) if config.asks_model else 0,
        "votes": verified * verify.votes if verify.answerers else 0,
        "necessity": 3 * verified * verify.necessity_votes if verify.answerers and verify.necessity else 0,
        "rollouts": rated * difficulty.rollouts * (2 if difficulty.large else 1) if difficulty.small else 0,
    }
    return {phase: count for phase, count in found.items() if count}


def _sample(files: Sequence[SourceFile], seed: int) -> tuple[list[SourceFile], float]:
    """Files of at most SAMPLE_BYTES (at least one), and how many times as large all of them are."""
    total = sum(file.size for file in files)
    if total <= SAMPLE_BYTES:
        return list(files), 1.0
    mixed = sorted(files, key=lambda file: file.sha256)
    random.Random(content_key("sample", seed)).shuffle(mixed)
    chosen, size = [], 0
    for file in mixed:
        if size + file.size <= SAMPLE_BYTES or not chosen:
            chosen.append(file)
            size += file.size
    order = {file.name: number for number, file in enumerate(files)}
    return sorted(chosen, key=lambda file: order[file.name]), total / max(1, size)


def _try(
    folder: Path, config: BuildConfig, entries: Sequence[Entry], assignment: Assignment, progress: Progress
) -> tuple[list[dict[str, Any]], float, int]:
    """(per capability: wanted and expected records), seconds and prompt tokens of constructing all of them, from a
    few records of every capability and bin."""
    library = Library(folder, entries, load_tokenizer(config.tokenizer))
    lengths = bins(config.length_bins)
    rows, seconds, prompt_tokens = [], 0.0, 0
    began = time.perf_counter()
    with progress("trial records", len(config.wanted) * len(lengths)) as bar:
        for capability, wanted in config.wanted.items():
            served = sorted(assignment[capability])
            pairs = sum(map(len, assignment[capability].values()))
            expected = 0.0
            for bin in lengths:
                rng = random.Random(content_key("trial", config.seed, capability, bin.label))
                made, tries, started = 0, 0, time.perf_counter()
                late = started - began >= TRIAL_SECONDS
                while served and made < (1 if late else ENOUGH) and tries < MOST:
                    number = rng.choice(served)
                    form = rng.choice(assignment[capability][number])
                    request = Request(number, form.name, bin, False, tries, 0)
                    outcome = compose(library, request, seed=config.seed, template_tokens=config.template_tokens)
                    made += outcome.record is not None
                    tries += 1
                share = wanted / len(lengths)
                expected += min(share, pairs * PER_PAIR * made / max(1, tries))
                # A form that failed in every trial may yet succeed; it is asked at least as often as it is wanted.
                needed = share * tries / max(1, made)
                seconds += (time.perf_counter() - started) / max(1, tries) * needed
                prompt_tokens += round(share * (bin.lower + bin.upper) / 2) if made else 0
                bar.advance(1)
            rows.append({"capability": capability, "wanted": wanted, "expected": round(expected)})
    return rows, seconds, prompt_tokens
