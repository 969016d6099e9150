"""Sections about the tracks and what their questions went through."""

from collections.abc import Mapping, Sequence
from typing import Any

from golongrl.pipeline.dataset.reporting.card_tables import by_count, name
from golongrl.pipeline.dataset.reporting.phase import Phase, counted, grid

EXAMPLES = 50
"""Hits that the report page shows in full."""
TRACKS = {"rules": "rules track", "qa": "question sets", "llm": "questions by models"}
LEVELS = ("easy", "medium", "hard", "unsolved", "quarantined", "unknown")
TESTS = {
    "closed_book": "without any document",
    "without_evidence": "without the evidence",
    "evidence_only": "with the evidence's documents alone",
}
_SYNTHESIS = {
    "asked": "calls",
    "malformed": "malformed answers",
    "repaired": "of these put right by a second call",
    "items": "questions left",
}


REASONS = 10
"""Reasons of a stage that the funnel names; rejects.jsonl has all."""


def funnel(funnel: Mapping[str, Sequence[Any]]) -> Phase:
    """Every track, stage by stage."""
    tables, bars = [], []
    for track, steps in funnel.items():
        title = TRACKS.get(track, track).capitalize()
        bars.append((title, {f"{step['stage']}: {step['unit']}": step["left"] for step in steps}))
        rows: list[list[Any]] = []
        for step in steps:
            why = by_count(step["removed"])
            rows += [[step["stage"], f"removed: {reason}", count] for reason, count in why[:REASONS]]
            if len(why) > REASONS:
                others = sum(count for _, count in why[REASONS:])
                rows.append([step["stage"], f"removed: {len(why) - REASONS} other reasons", others])
            rows.append([step["stage"], f"{step['unit']} left", step["left"]])
        tables.append((title, (["stage", "what", "count"], rows)))
    text = "What each stage removed, with its reason, and what it left."
    return Phase("Funnel by track", text, tables, bars=bars)


def qa(sets: Sequence[Any]) -> Phase:
    """What became of the rows of question sets."""
    rows = [[one["set"], one["rows"], sum(one["refused"].values()), one["items"]] for one in sets]
    why = [[one["set"], reason, count] for one in sets for reason, count in by_count(one["refused"])]
    text = "Existing sets, turned into records whose answers one of the nine metrics can verify."
    return Phase(
        "Question sets",
        text,
        [("", (["set", "rows", "refused", "questions"], rows))],
        [("Why rows were refused", (["set", "reason", "rows"], why))],
    )


def synthesis(one: Mapping[str, Any]) -> Phase:
    """What became of the questions that models wrote."""
    counts = [[label, one[key]] for key, label in _SYNTHESIS.items()]
    counts.insert(3, ["rejected", sum(one["rejected"].values())])
    tables = [
        ("", (["answers of the models", "count"], counts)),
        counted("Why questions were rejected", one["rejected"]),
    ]
    tables.append(grid("Per capability", one.get("capabilities", {})))
    tables += [
        counted(label, one.get(key, {}), what)
        for key, label, what in (
            ("types", "Questions by type", "type"),
            ("positions", "Questions by the part of the document that they were wanted from", "part"),
            ("models", "Questions by model", "model"),
        )
    ]
    text = "A model wrote these questions and answers; each quotes the document, and the quotation was found in it."
    return Phase("Questions by models", text, [table for table in tables if table[1][1]])


def verify(one: Mapping[str, Any]) -> Phase:
    """Votes and necessity."""
    groups = [
        [TRACKS.get(g["track"], g["track"]), name(g["capability"]), g["records"], g["records"] - g["kept"], g["kept"]]
        for g in one["groups"]
    ]
    tests = [
        [TESTS.get(test, test), outcome, count]
        for test, tally in one["tests"].items()
        for outcome, count in by_count(tally)
    ]
    silent = [[model, why, n] for model, tally in one.get("abstentions", {}).items() for why, n in by_count(tally)]
    text = (
        f"{one['kept']:,} of {one['records']:,} records passed: independent answerers agree with the gold answer and "
        "with no other, fail without the documents and without the evidence, and do not need the distractors."
    )
    return Phase(
        "Verification",
        text,
        [
            ("Per track and capability", (["track", "capability", "records", "dropped", "kept"], groups)),
            counted("Why records were dropped", one["reasons"]),
            ("Votes for the gold answer", (["passed", "records"], [[k, v] for k, v in sorted(one["votes"].items())])),
            ("Need of the context", (["answered", "outcome", "records"], tests)),
        ],
        [("Answers that say nothing", (["model", "why", "answers"], silent))],
    )


def difficulty(one: Mapping[str, Any]) -> Phase:
    """Levels and pass rates."""
    levels = list(dict.fromkeys(level for level in (*LEVELS, *one["levels"]) if level in one["levels"]))
    rates = one.get("mean_pass_rate", {})
    rows = []
    for capability, tally in one["capabilities"].items():
        rows.append([name(capability), *(tally.get(level, 0) for level in levels), rates.get(capability)])
    if len(rows) > 1:
        rows.append(["all", *(one["levels"][level] for level in levels), rates.get("all")])
    unscored = [[model, why, n] for model, tally in one.get("unscored", {}).items() for why, n in by_count(tally)]
    cut = [
        [model, "cut off at the token limit, scored for what is there", n] for model, n in one.get("cut", {}).items()
    ]
    text = (
        "How often models that read the whole prompt pass. What the large model hardly solves is quarantined with "
        "its rollouts, not deleted: an unsolvable question and a hard one look the same."
    )
    return Phase(
        "Difficulty",
        text,
        [
            ("Records per level", (["capability", *levels, "mean pass rate"], rows)),
            counted("Records that each model was asked about", one["stages"], "model"),
        ],
        [("Rollouts without a score, and cut ones", (["model", "why", "rollouts"], unscored + cut))],
    )


def contamination(one: Mapping[str, Any]) -> Phase:
    """Overlap with evaluation data."""
    rows = [
        [
            hits["benchmark"],
            hits["items"],
            hits["question_hits"],
            hits.get("near_questions", 0),
            hits["shared_documents"],
            hits.get("template_ngrams", 0),
        ]
        for hits in one["benchmarks"]
    ]
    columns = ["benchmark", "its items", "question hits", "near questions", "shared documents", "template n-grams"]
    shown = one.get("evidence", [])[:EXAMPLES]
    hits = [[hit["benchmark"], hit["item"], hit["kind"], hit["ours"], hit["text"]] for hit in shown]
    checked = f"{one['checked']:,} records were compared" if "checked" in one else "Records were compared"
    share = f" from {one['document_share']:.0%} of their n-grams on" if "document_share" in one else ""
    text = (
        f"{checked} with evaluation data by {one['n']}-grams of question and answer, and documents with its "
        f"contexts; records with a hit were removed, and documents{share} count as shared. Template n-grams stand in "
        "many questions of a benchmark and count as no hit."
    )
    details = [(f"The first {len(hits)} hits", (["benchmark", "item", "kind", "ours", "shared words"], hits))]
    return Phase("Contamination", text, [("", (columns, rows))], details)


def calls(calls: Mapping[str, Any]) -> Phase:
    """What was asked of models, and what it cost."""
    keys = ("calls", "prompt_tokens", "completion_tokens", "cost")
    rows = [[model, *(one[key] for key in keys)] for model, one in calls.items()]
    if len(rows) > 1:
        rows.append(["all", *(sum(one[key] for one in calls.values()) for key in keys)])
    columns = ["model", "calls", "prompt tokens", "answer tokens", "cost"]
    return Phase("Calls to models", "Cost is in the currency of the configured prices.", [("", (columns, rows))])
