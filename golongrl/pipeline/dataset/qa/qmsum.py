"""QMSum (`Yale-LILY/QMSum`, MIT): query-based summaries of meetings.

`{meeting_transcripts: [{speaker, content}], general_query_list: [{query, answer}], specific_query_list: [{query,
answer, relevant_text_span: [[first turn, last turn]]}]}`. T9, `rouge_l`; the meeting is one dialogue, the evidence
are the turns that the set names.
"""

import re
from collections.abc import Iterator

from golongrl.core.documents import Document, Span
from golongrl.pipeline.dataset.qa.adapter import Adapter, Place, QAItem, Row, RowContext
from golongrl.pipeline.dataset.qa.wording import about, sized
from golongrl.pipeline.dataset.readers import Refusal

_NOISE = re.compile(r"\{[a-z ]+\}")
"""Marks of the transcript such as {vocalsound}."""


def _accepts(row: Row) -> bool:
    return "meeting_transcripts" in row and ("specific_query_list" in row or "general_query_list" in row)


def _read(row: Row, context: RowContext) -> Iterator[QAItem | Refusal]:
    turns = [{**turn, "content": _NOISE.sub(" ", str(turn["content"]))} for turn in row["meeting_transcripts"]]
    kept = [n for n, turn in enumerate(turns) if turn["content"].strip() and str(turn["speaker"]).strip()]
    title = f"Meeting {context.number} of {context.stem}"
    document = context.document({"meeting_transcripts": [turns[n] for n in kept]}, title)
    blocks = [block.span for block in document.blocks if block.kind == "turn"]
    spans = dict(zip(kept, blocks, strict=True)) if len(blocks) == len(kept) else {}
    asked = [*(row.get("general_query_list") or []), *(row.get("specific_query_list") or [])]
    for number, one in enumerate(asked, 1):
        answer = str(one.get("answer") or "").strip()
        yield QAItem(
            source=f"{context.name}.{number}",
            form="qmsum",
            capability="T9",
            question=about(sized(str(one.get("query") or ""), answer), title),
            gold=(answer,),
            shown=(Place(document),),
            evidence=_evidence(document, spans, one.get("relevant_text_span") or []),
            stands=False,
        )


def _evidence(document: Document, spans: dict[int, Span], ranges: list[list[str]]) -> tuple[Place, ...]:
    """The turns of each range, first to last."""
    found = []
    for first, last in ranges:
        inside = [span for number, span in spans.items() if int(first) <= number <= int(last)]
        if inside:
            found.append(Place(document, Span(inside[0].start, inside[-1].end)))
    return tuple(found)


QMSUM = Adapter("qmsum", _accepts, _read, "MIT")
