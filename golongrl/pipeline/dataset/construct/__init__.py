"""The rules track: every task form by which a question with a proven answer is made of real documents.

To add a form, write a function `(scene) -> Candidate | Unfit` in its capability's file and enter it below; `needs`
names a criterion of `golongrl.pipeline.dataset.assign.CRITERIA`.
"""

from golongrl.pipeline.dataset.construct import (
    comprehension,
    counting,
    dated,
    distance,
    exhaustive,
    extraction,
    labels,
    matching,
    numeric,
    ordering,
    outline,
    ranking,
)
from golongrl.pipeline.dataset.construct.form import TaskForm

TASK_FORMS: dict[str, TaskForm] = {
    form.name: form
    for form in (
        TaskForm("next_sentence", "T2", "prose", comprehension.next_sentence),
        TaskForm("passage_choice", "T2", "prose", comprehension.passage_choice, elsewhere=True),
        TaskForm("section_choice", "T2", "sections", labels.section_choice),
        TaskForm("source_choice", "T2", "prose", labels.source_choice, scope="context"),
        TaskForm("cell_choice", "T2", "table", labels.cell_choice),
        TaskForm("rows_where", "T3", "table", exhaustive.rows_where),
        TaskForm("headings_with_word", "T3", "sections", exhaustive.headings_with_word),
        TaskForm("sentences_with_word", "T3", "prose", exhaustive.sentences_with_word),
        TaskForm("list_items", "T3", "lists", exhaustive.list_items),
        TaskForm("speakers_with_word", "T3", "dialogue", exhaustive.speakers_with_word),
        TaskForm("turns_with_word", "T3", "dialogue", exhaustive.turns_with_word),
        TaskForm("titles_with_word", "T3", "prose", exhaustive.titles_with_word, scope="context"),
        TaskForm("titles_with_both", "T3", "prose", exhaustive.titles_with_both, scope="context"),
        TaskForm("cell_difference", "T4", "numeric_table", numeric.cell_difference),
        TaskForm("growth_rate", "T4", "numeric_table", numeric.growth_rate),
        TaskForm("share_of_total", "T4", "numeric_table", numeric.share_of_total),
        TaskForm("total_where", "T4", "numeric_table", numeric.total_where),
        TaskForm("rows_counted", "T4", "numeric_table", numeric.rows_counted),
        TaskForm("word_balance", "T4", "prose", counting.word_balance),
        TaskForm("paragraphs_with_word", "T4", "paragraphs", counting.paragraphs_with_word),
        TaskForm("sections_with_word", "T4", "sections", counting.sections_with_word),
        TaskForm("turns_of_speaker", "T4", "turns", counting.turns_of_speaker),
        TaskForm("years_between", "T4", "years", counting.years_between),
        TaskForm("paragraphs_between", "T4", "outline", distance.paragraphs_between),
        TaskForm("paragraphs_apart", "T4", "paragraphs", distance.paragraphs_apart),
        TaskForm("table_rows", "T5", "table", extraction.table_rows),
        TaskForm("tables_joined", "T5", "table", extraction.tables_joined, scope="context"),
        TaskForm("outline_rows", "T5", "outline", outline.outline_rows),
        TaskForm("section_word_rows", "T5", "sections", outline.section_word_rows),
        TaskForm("paragraph_word_rows", "T5", "prose", outline.paragraph_word_rows),
        TaskForm("speaker_rows", "T5", "turns", outline.speaker_rows),
        TaskForm("cells_of_keys", "T6", "table", matching.cells_of_keys),
        TaskForm("headings_of_sentences", "T6", "sections", matching.headings_of_sentences),
        TaskForm("titles_of_fragments", "T6", "prose", matching.titles_of_fragments, scope="context"),
        TaskForm("speakers_of_turns", "T6", "dialogue", matching.speakers_of_turns),
        TaskForm("headings_by_count", "T7", "sections", ranking.headings_by_count),
        TaskForm("titles_by_count", "T7", "prose", ranking.titles_by_count, scope="context"),
        TaskForm("rows_by_number", "T7", "table", ranking.rows_by_number),
        TaskForm("speakers_by_turns", "T7", "dialogue", ranking.speakers_by_turns),
        TaskForm("headings_by_items", "T7", "lists", ranking.headings_by_items),
        TaskForm("heading_order", "T8", "sections", ordering.heading_order),
        TaskForm("sentence_order", "T8", "prose", ordering.sentence_order),
        TaskForm("turn_order", "T8", "dialogue", ordering.turn_order),
        TaskForm("step_order", "T8", "lists", ordering.step_order),
        TaskForm("date_order", "T8", "prose", dated.date_order),
    )
}

CAPABILITIES: tuple[str, ...] = tuple(sorted({form.capability for form in TASK_FORMS.values()}))
"""Capabilities that rules can build."""
