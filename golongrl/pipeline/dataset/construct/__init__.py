"""The rules track: every task form by which a question with a proven answer is made of a document.

To add a form, write a function `(excerpt, rng) -> Candidate | Unfit` in its capability's file and enter it below;
`needs` names a structure of `golongrl.pipeline.dataset.assign.STRUCTURES`.
"""

from golongrl.pipeline.dataset.construct import (
    comprehension,
    exhaustive,
    matching,
    ordering,
    ranking,
    retrieval,
    summary,
)
from golongrl.pipeline.dataset.construct.form import TaskForm

TASK_FORMS: dict[str, TaskForm] = {
    form.name: form
    for form in (
        TaskForm("cell_value", "T1", "table", retrieval.cell_value),
        TaskForm("heading_of_sentence", "T1", "sections", retrieval.heading_of_sentence),
        TaskForm("missing_word", "T1", "prose", retrieval.missing_word),
        TaskForm("speaker_of_sentence", "T1", "dialogue", retrieval.speaker_of_sentence),
        TaskForm("section_choice", "T2", "sections", comprehension.section_choice),
        TaskForm("cell_choice", "T2", "table", comprehension.cell_choice),
        TaskForm("next_sentence", "T2", "prose", comprehension.next_sentence),
        TaskForm("rows_where", "T3", "table", exhaustive.rows_where),
        TaskForm("headings_with_word", "T3", "sections", exhaustive.headings_with_word),
        TaskForm("sentences_with_word", "T3", "prose", exhaustive.sentences_with_word),
        TaskForm("list_items", "T3", "lists", exhaustive.list_items),
        TaskForm("cells_of_keys", "T6", "table", matching.cells_of_keys),
        TaskForm("headings_of_sentences", "T6", "sections", matching.headings_of_sentences),
        TaskForm("headings_by_count", "T7", "sections", ranking.headings_by_count),
        TaskForm("heading_order", "T8", "sections", ordering.heading_order),
        TaskForm("sentence_order", "T8", "prose", ordering.sentence_order),
        TaskForm("own_abstract", "T9", "abstract", summary.own_abstract, opening=True),
        TaskForm("opening", "T9", "opening", summary.opening, opening=True),
        TaskForm("section_lead", "T9", "sections", summary.section_lead),
    )
}

CAPABILITIES: tuple[str, ...] = tuple(dict.fromkeys(form.capability for form in TASK_FORMS.values()))
"""Capabilities that rules can build."""
