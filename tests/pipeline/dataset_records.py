"""Small finished records of a dataset build, and the facts of one."""

from golongrl.core import tasks
from golongrl.core.records import Record
from golongrl.pipeline.dataset.reporting.closed_book import closed_book
from golongrl.pipeline.dataset.reporting.survey import Survey

LETTERS = "ABCDEFGH"
LABELLED = ("em", "choice", "math", "iou")


def make(capability, question, gold, *, form="a_form", language="en", prompt=None, evidence=(), docs=("d1",), **info):
    """A record; `gold` is a text or a list of items, `evidence` (start, end) pairs in the prompt."""
    known = tasks.CAPABILITIES[capability]
    golds = [gold] if isinstance(gold, str) else list(gold)
    single = known.metric in LABELLED
    return Record.model_validate(
        {
            "data_source": known.data_source,
            "prompt": [{"role": "user", "content": prompt or f"[Document 1] T\nSome text.\n\n{question}"}],
            "ability": known.ability,
            "reward_model": {
                "ground_truth": {"golden_label": golds[0] if single else "", "doc_ids": [] if single else golds}
            },
            "extra_info": {
                "index": 0,
                "question": question,
                "capability": capability,
                "metric": known.metric,
                "task_form": form,
                "template": f"{form}/1",
                "language": language,
                "options": [],
                "listed": [],
                "n_tokens": 900,
                "length_bin": "1k",
                "doc_sha256": list(docs),
                "doc_source": [f"{name}.md" for name in docs],
                "licence": ["CC-BY-4.0" for _ in docs],
                "document_kind": "prose",
                "evidence_in_prompt": [{"start": start, "end": end} for start, end in evidence],
                "evidence_depth": 0.5,
                "question_position": "after",
                "generator": f"rules/{form}",
                **info,
            },
        }
    )


def choices(count, options, gold, stem="Which one?"):
    """`count` choice questions; `options(n)` gives the texts, `gold(n)` the number of the right one."""
    records = []
    for n in range(count):
        texts = options(n)
        lines = "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, texts, strict=False))
        question = f"{stem} (case {n})\n{lines}"
        records.append(make("T2", question, LETTERS[gold(n)], form="b_form", options=texts, listed=texts))
    return records


def surveyed(records, bins=("1k", "4k"), validation=()):
    """The survey of some records."""
    capabilities = sorted({record.extra_info["capability"] for record in (*records, *validation)})
    survey = Survey(bins, capabilities)
    for split, kept in (("train", records), ("validation", validation)):
        assert list(survey.watch(kept, split)) == list(kept)
    return survey


def facts_of(survey, **source):
    """The facts of a build that made these records."""
    capabilities = list(survey.capabilities)
    records = survey.facts()
    kept = {c: sum(cell["records"] for cell in records["cells"] if cell["capability"] == c) for c in capabilities}
    return {
        "source": {
            "command": "golongrl build-dataset docs --out data",
            "version": "1.2.3",
            "tokenizer": "approx",
            "seed": 7,
            "length_bins": list(survey.length_bins),
            "capabilities": capabilities,
            "wanted": {c: count + 1 for c, count in kept.items()},
            "val_share": 0.1,
            **source,
        },
        "collect": {
            "files": 9,
            "refused": {"empty file": 1},
            "read": 8,
            "filtered": {"length": {"shorter than N tokens": 2}, "licence": {}},
            "exact_duplicates": 1,
            "near_duplicates": 1,
            "documents": 4,
            "languages": {"en": 3, "zh": 1},
            "validation_documents": 1,
            "refusals": [{"source": "<b>nothing</b>.txt", "reason": "empty file"}],
        },
        "assign": {c: {"documents": 3, "missing": {"3 headings or more": 1}} for c in capabilities},
        "construct": {
            c: {
                "attempts": kept[c] + 5,
                "passed_over": {"a_form: no table": 3, "a_form: too short": 1},
                "rejected": {"a_form: asked before": 1},
                "kept": kept[c],
            }
            for c in capabilities
        },
        "asked": {
            form: {"capability": found["capability"], "asks": f"What {form} asks"}
            for form, found in records["forms"].items()
        },
        "records": records,
        "closed_book": closed_book(survey.questions),
        "notes": ["T9: 3 records fewer than wanted"],
    }
