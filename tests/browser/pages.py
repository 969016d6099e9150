"""Report pages for the browser: every kind of block, hostile texts, runs written by hand, thousands of samples."""

import json
import math
from pathlib import Path

from golongrl.core.report import (
    Bars,
    Grid,
    Header,
    KeyValues,
    Line,
    Lines,
    Links,
    Note,
    Page,
    Paragraph,
    Sample,
    Table,
    Tiles,
    Viewer,
    score_band,
)
from golongrl.core.report.forest import Forest, ForestRow, Tone
from golongrl.core.report.heat_map import Cell, HeatMap

HOSTILE = "</script><script>window.attacked = 1</script><img src=x onerror='window.attacked = 2'>"
NEEDLE = "THE NEEDLE"
UNBROKEN = "/models/" + "x" * 400
"""A path without a place to break it at."""


def sample(number: int, text: str = "plain", around: int = 30) -> Sample:
    """Every second one is of T1, every third of 4k; the context has its needle marked."""
    context = (("before " * around, False), (NEEDLE, True), (" after" * around, False))
    facets = (f"T{1 + number % 2}", ("4k", "32k", "1m")[number % 3], score_band(number % 5 / 4))
    return Sample(facets, f"sample {number}: {text[:60]}", (("response", text), ("context", context)))


def blocks(samples: list[Sample]) -> Page:
    """A page with every kind of block that has text."""
    wave = [(step, 0.5 + 0.4 * math.sin(step / 4)) for step in range(40)]
    band = [(x, y - 0.1, y + 0.1) for x, y in wave]
    curves = [
        Line(UNBROKEN if n == 8 else f"task {n}", [(x, y * (n + 1) / 9) for x, y in wave], band if n == 0 else ())
        for n in range(9)
    ]
    small = [Lines([("loss", wave)], "loss", x="step", small=True, numbers=False)] * 3
    words = f"One.\nTwo.\n{UNBROKEN}"
    notes = [Note("Read this."), Note("Three are owed.", "warning"), Note("An attack pays.", "failure")]
    cells = [[Cell(0.0, "3"), Cell(1.0, "4")], [Cell(0.5, "5"), None]]
    tones: tuple[Tone, ...] = ("better", "worse", "open")
    rows = [
        ForestRow(tone, value, value - 1, value + 1, f"{value}", tone)
        for tone, value in zip(tones, (2, -2, 0.5), strict=True)
    ]
    table = Table(["metric", "rows"], [[f"metric {n}", n] for n in range(30)], "Rows per metric")
    return Page(
        "Every block",
        [
            ("Words", [Paragraph(words), *notes, KeyValues({"rows": 12, "share": 0.25, "none": None})]),
            ("Table", table),
            ("Bars", Bars([("T1 precise retrieval", 0.5, 0.4, 0.6), ("T2", 0.0, None, None)], "Means", 1.0)),
            ("Maps", [HeatMap(["4k", "1m"], ["0-50 %", "50-100 %"], cells, "length", "depth", "Score")]),
            ("Differences", [Tiles([("score", "0.500", "of 200")]), Forest(rows, "B against A", "points")]),
            ("Links", Links([("mrcr", "mrcr/report.html", "beside this page")])),
            ("Curves", [Lines(curves, "Reward", x="step", y="reward"), Grid(small)]),
            ("Samples", Viewer(("capability", "length", "score"), samples, "All samples")),
        ],
        Header("Demonstration", "failed", {"model": UNBROKEN}),
    )


def training_run(folder: Path, finished: str | None) -> Path:
    """A training run of 12 steps with two tasks, as the trainer writes it, with a torn last line."""
    folder.mkdir(parents=True)
    manifest = {"command": "train", "started": "2026-05-04T10:00:00+0000", "finished": finished, "versions": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "config.json").write_text(json.dumps({"command": "train", "model": HOSTILE, "steps": 20, "verl": {}}))
    steps, rollouts = [], []
    for step in range(1, 13):
        numbers = {"timing_s/step": 2.0, "perf/throughput": 1000.0, "actor/grad_norm": 1 / step}
        for place, task in enumerate(("em", "f1")):
            rewards = [min(1.0, step / 12), 0.5, 0.0, 1.0] if task == "em" else [0.5] * 4
            own = {"reward": sum(rewards) / 4, "advantage_share": 0.5, "rollout_share": 0.5, "no_signal_groups": 0.0}
            numbers |= {f"task/{task}/{name}": value for name, value in own.items()}
            rollouts += [
                {"key": f"{step}/{4 * place + n}", "step": step, "prompt": f"{step}.{place}", "index": place,
                 "task": task, "reward": reward, "reason": "ok"}
                for n, reward in enumerate(rewards)
            ]  # fmt: skip
        steps.append({"key": f"step-{step}", "step": step, "metrics": numbers})
    for name, rows in (("metrics.jsonl", steps), ("rollouts.jsonl", rollouts)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"key": "torn')
    return folder
