"""Phase 4, refine: a record stays when its gold answer scores 1.0, its evidence holds the gold and it is new."""

from collections.abc import Mapping
from typing import Any

from golongrl.core.documents import Document
from golongrl.core.records import Record
from golongrl.core.text import lines, normalise
from golongrl.pipeline.dataset.construct.form import Candidate
from golongrl.rewards import gold_response, score_response

GOLD_SCORE = 1 - 1e-9


def fault(record: Record, candidate: Candidate, documents: Mapping[str, Document]) -> str | None:
    """Why a record may not stay, or None."""
    if record.metric not in ("em", "choice", "rouge_l"):
        gold = record.gold.doc_ids
        if len(lines("\n".join(gold))) != len(gold):
            return "gold items read the same once normalised"
    score = score_response(record, gold_response(record))
    if score.value is None or score.value < GOLD_SCORE:
        return f"its own gold answer scores {score.value} ({score.reason})"
    if not evidence_holds(record.extra_info["evidence"], candidate.proof or candidate.gold, documents):
        return "the evidence does not hold the gold answer"
    return None


def evidence_holds(evidence: list[dict[str, Any]], proof: tuple[str, ...], documents: Mapping[str, Document]) -> bool:
    """Whether every text of the proof stands inside one of the evidence spans."""
    spans = [normalise(documents[span["doc"]].text[span["start"] : span["end"]]) for span in evidence]
    return bool(spans) and all(any(normalise(text) in span for span in spans) for text in proof)


class Seen:
    """Questions that were kept, so that none is asked twice."""

    def __init__(self) -> None:
        self._questions: set[str] = set()

    def add(self, record: Record) -> bool:
        """Remember the record's question; False when it was there before. Which options stand below it, and in
        which order, does not make it another."""
        question = str(record.extra_info["question"])
        if record.extra_info["options"]:
            question = question.split("\nA. ")[0]
        question = normalise(question)
        key = f"{record.extra_info['capability']} {question}"
        if key in self._questions:
            return False
        self._questions.add(key)
        return True
