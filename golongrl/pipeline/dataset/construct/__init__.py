"""The rules track: every task form by which a question with a proven answer is made of real documents.

To add a form, write a function `(scene) -> Candidate | Unfit` in its capability's file and enter it below; `needs`
names a criterion of `golongrl.pipeline.dataset.assign.CRITERIA`.
"""

from golongrl.pipeline.dataset.construct import (
    comprehension,
    counting,
    dated,
    definitions,
    distance,
    exhaustive,
    extraction,
    labels,
    matching,
    numeric,
    ordering,
    outline,
    ranking,
    retrieval,
    summary,
    verbatim,
)
from golongrl.pipeline.dataset.construct.form import TaskForm

TASK_FORMS: dict[str, TaskForm] = {
    form.name: form
    for form in (
        TaskForm("paragraph_with_word", "T1", "prose", verbatim.paragraph_with_word),
        TaskForm("paragraph_below_heading", "T1", "sections", verbatim.paragraph_below_heading),
        TaskForm("turn_of_speaker", "T1", "dialogue", verbatim.turn_of_speaker),
        TaskForm("term_of_definition", "T1", "definitions", definitions.term_of_definition),
        TaskForm("definition_of_term", "T1", "definitions", definitions.definition_of_term),
        TaskForm("entry_value", "T1", "entries", definitions.entry_value),
        TaskForm("cell_value", "T1", "table", retrieval.cell_value),
        TaskForm("heading_of_sentence", "T1", "sections", retrieval.heading_of_sentence),
        TaskForm("missing_word", "T1", "prose", retrieval.missing_word),
        TaskForm("speaker_of_sentence", "T1", "dialogue", retrieval.speaker_of_sentence),
        TaskForm("next_sentence", "T2", "prose", comprehension.next_sentence),
        TaskForm("passage_choice", "T2", "prose", comprehension.passage_choice, scope="context", elsewhere=True),
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
        TaskForm("step_order", "T8", "prose", ordering.step_order),
        TaskForm("date_order", "T8", "dates", dated.date_order),
        TaskForm("own_abstract", "T9", "abstract", summary.own_abstract, opening=True),
        TaskForm("opening", "T9", "opening", summary.opening, opening=True),
        TaskForm("section_lead", "T9", "sections", summary.section_lead, starts=summary.lead_starts),
        TaskForm("chapter_summary", "T9", "chapters", summary.chapter_summary, starts=summary.chapter_starts),
        TaskForm("couplet_heading", "T9", "couplets", summary.couplet_heading, languages=("zh",)),
    )
}

CAPABILITIES: tuple[str, ...] = tuple(sorted({form.capability for form in TASK_FORMS.values()}))
"""Capabilities that rules can build."""
