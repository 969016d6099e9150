"""Each published form, read into the item that a person would write by hand."""

import copy
import json

import pytest
from qa_rows import BRANDT, FERRY, LONG_ANSWER, OTHER, hotpot, longbench, only, read, reason, said, sentences
from qa_rows import squad as squad_row
from qa_rows import tatqa as tatqa_row

from golongrl.pipeline.dataset.readers import Refusal


def test_a_flat_squad_row_keeps_all_its_wordings_and_the_sentence_of_the_answer(tmp_path):
    documents, item = only(read(tmp_path, squad_row()))
    (document,) = documents.values()
    assert document.title == "Marigold (ferry)"
    assert item.capability == "T1"
    assert item.form == "qa:squad"
    assert item.language == "en"
    assert item.question == 'About the document "Marigold (ferry)": Where was the Marigold built?'
    assert item.gold == ("Oskarby", "in Oskarby")
    assert said(documents, item.shown) == [FERRY]
    assert said(documents, item.evidence) == ["The ferry Marigold was built in Oskarby in 1931."]
    assert item.licence == "unknown", "many sets have this form"


def test_a_nested_squad_article_is_one_document_of_which_the_paragraph_is_shown(tmp_path):
    asked = [
        {"id": "1", "question": "Who bought the Marigold?", "answers": [{"text": "Ida Brandt", "answer_start": 102}]},
        {"id": "2", "question": "Who sank it?", "answers": [], "is_impossible": True},
    ]
    paragraphs = [{"context": OTHER, "qas": []}, {"context": FERRY, "qas": asked}]
    first, second = read(tmp_path, {"title": "Lake", "paragraphs": paragraphs})
    documents, item = only([first])
    (document,) = documents.values()
    assert document.text == f"{OTHER}\n\n{FERRY}"
    assert said(documents, item.shown) == [FERRY]
    assert item.source == "rows.jsonl#1.1"
    assert second == Refusal("rows.jsonl#1.2", "unanswerable")


def test_of_two_places_with_the_answer_the_annotated_one_is_the_evidence(tmp_path):
    text = "Rosa lived in Elmby. Her mill stood in Ashby. In the end Rosa went back to Ashby by boat."
    answers = {"text": ["Ashby"], "answer_start": [text.rindex("Ashby")]}
    row = squad_row(context=text, question="Where did Rosa go back to?", answers=answers)
    documents, item = only(read(tmp_path, row))
    assert said(documents, item.evidence) == ["In the end Rosa went back to Ashby by boat."]


def test_chinese_questions_are_asked_in_chinese(tmp_path):
    text = "渡船“金盏号”于一九三一年在奥斯卡镇建成。它每次可以载四十名乘客过湖。"
    answers = {"text": ["奥斯卡镇"], "answer_start": [text.index("奥")]}
    documents, item = only(
        read(tmp_path, squad_row(title="金盏号", context=text, question="金盏号在哪里建成？", answers=answers))
    )
    assert item.language == "zh"
    assert item.question == "关于文档《金盏号》：金盏号在哪里建成？"
    assert said(documents, item.evidence) == ["渡船“金盏号”于一九三一年在奥斯卡镇建成。"]


@pytest.mark.parametrize(
    ("question", "answer", "kept"),
    [
        ("金盏号建成于哪一年？", "建成于一九三一年", False),
        ("谁在一九五〇年买下金盏号？", "卡勒船长买下金盏号", False),
        ("金盏号建成于哪一年？", "一九三一年", True),
        # A name of the title is no repetition.
        ("金盏号的新名字是什么？", "金盏二号", True),
    ],
)
def test_a_chinese_answer_that_repeats_its_question_has_several_wordings(tmp_path, question, answer, kept):
    text = "渡船建成于一九三一年。一九五〇年卡勒船长买下金盏号。后来它改名为金盏二号。"
    row = squad_row(
        title="金盏号",
        context=text,
        question=question,
        answers={"text": [answer], "answer_start": [text.index(answer)]},
    )
    found = read(tmp_path, row)
    if kept:
        assert only(found)[1].gold[0] == answer
    else:
        assert reason(found) == "repeats the question"


def columns(row):
    """A HotpotQA row as the hub has it."""
    context, facts = row["context"], row["supporting_facts"]
    return {
        **row,
        "context": {"title": [t for t, _ in context], "sentences": [s for _, s in context]},
        "supporting_facts": {"title": [t for t, _ in facts], "sent_id": [n for _, n in facts]},
    }


@pytest.mark.parametrize(
    "form",
    [lambda row: row, columns, lambda row: {**row, "context": json.dumps(row["context"])}],
    ids=["pairs", "columns", "text"],
)
def test_hotpotqa_shows_the_supporting_passages_and_keeps_the_others_as_distractors(tmp_path, form):
    documents, item = only(read(tmp_path, form(hotpot())))
    assert [documents[s.doc].title for s in item.shown] == ["Marigold", "Ida Brandt"]
    assert said(documents, item.shown) == [FERRY, BRANDT]
    assert [documents[one].title for one in item.distractors] == ["Westlund"]
    assert said(documents, item.evidence) == [
        "Captain Ida Brandt bought it in 1950 and painted it green.",
        "She was born in Tallholm.",
    ]
    assert item.gold == ("Tallholm",)
    assert item.question == hotpot()["question"]
    assert item.form == "qa:hotpotqa"
    assert item.licence == "CC-BY-SA-4.0"


def test_hotpotqa_with_a_fact_that_does_not_exist_names_no_evidence(tmp_path):
    _, item = only(read(tmp_path, hotpot(supporting_facts=[["Marigold", 9], ["Ida Brandt", 1]])))
    assert item.evidence == ()


def test_hotpotqa_titles_are_read_without_their_marks(tmp_path):
    context = [["Ida &amp; Sons", sentences(BRANDT)], ["Marigold", sentences(FERRY)]]
    row = hotpot(context=context, supporting_facts=[["Marigold", 2], ["Ida &amp; Sons", 1]])
    documents, item = only(read(tmp_path, row))
    assert [documents[s.doc].title for s in item.shown] == ["Marigold", "Ida & Sons"]


def test_hotpotqa_without_a_supporting_passage_has_no_context(tmp_path):
    assert reason(read(tmp_path, hotpot(supporting_facts=[["Elsewhere", 0]]))) == "no context"


def test_2wiki_is_told_by_its_evidences(tmp_path):
    _, item = only(read(tmp_path, hotpot(evidences=[["Marigold", "buyer", "Ida Brandt"]])))
    assert item.form == "qa:2wikimultihopqa"
    assert item.licence == "Apache-2.0"


def musique(**changes):
    paragraphs = [("Westlund", OTHER, False), ("Marigold", FERRY, True), ("Ida Brandt", BRANDT, True)]
    row = {
        "id": "2hop__1_2",
        "paragraphs": [
            {"idx": n, "title": title, "paragraph_text": text, "is_supporting": right}
            for n, (title, text, right) in enumerate(paragraphs)
        ],
        "question": "In which town was the buyer of the Marigold born?",
        "question_decomposition": [
            {"id": 1, "question": "Who bought the Marigold?", "answer": "Ida Brandt", "paragraph_support_idx": 1},
            {"id": 2, "question": "Where was #1 born?", "answer": "Tallholm", "paragraph_support_idx": 2},
        ],
        "answer": "Tallholm",
        "answer_aliases": ["town of Tallholm"],
        "answerable": True,
    }
    return {**row, **changes}


def test_musique_takes_aliases_and_the_sentences_of_its_steps(tmp_path):
    documents, item = only(read(tmp_path, musique()))
    assert item.gold == ("Tallholm", "town of Tallholm")
    assert said(documents, item.shown) == [FERRY, BRANDT]
    assert len(item.distractors) == 1
    assert said(documents, item.evidence) == [
        "Captain Ida Brandt bought it in 1950 and painted it green.",
        "She was born in Tallholm.",
    ]
    assert item.licence == "CC-BY-4.0"
    assert reason(read(tmp_path, musique(answerable=False))) == "unanswerable"


def test_quality_counts_labels_from_one_and_flat_rows_from_zero(tmp_path):
    asked = {"question": "What colour is the ferry?", "options": ["Red", "Green", "Blue", "Grey"]}
    nested = {"article_id": "1", "title": "The Lake", "article": FERRY, "questions": [{**asked, "gold_label": 2}]}
    _documents, item = only(read(tmp_path, nested))
    assert (item.capability, item.gold, item.options) == ("T2", ("B",), ("Red", "Green", "Blue", "Grey"))
    assert item.question == 'About the document "The Lake": What colour is the ferry?'
    _, flat = only(read(tmp_path, {"article": FERRY, **asked, "answer": 1, "hard": False}))
    assert flat.gold == ("B",)
    unlabelled = {**nested, "questions": [asked]}
    assert reason(read(tmp_path, unlabelled)) == "no answer"


def test_longbench_v2_has_its_options_in_columns(tmp_path):
    row = {
        "_id": "66fcfb5fbb02",
        "domain": "Single-Document QA",
        "sub_domain": "Literary",
        "question": "Who painted the ferry?",
        "choice_A": "The storm",
        "choice_B": "A pupil",
        "choice_C": "Ida Brandt",
        "choice_D": "Nobody",
        "answer": "C",
        "context": FERRY,
    }
    _, item = only(read(tmp_path, row))
    assert item.gold == ("C",)
    assert item.options[2] == "Ida Brandt"
    assert item.licence == "Apache-2.0"
    assert item.question == 'About the document "Literary, 5fbb02": Who painted the ferry?'
    assert reason(read(tmp_path, {**row, "answer": "E"})) == "no answer"
    assert reason(read(tmp_path, {**row, "choice_D": "The storm"})) == "options"


def test_tatqa_arithmetic_states_scale_and_rounding(tmp_path):
    _, item = only(read(tmp_path, tatqa_row()))
    assert item.capability == "T4"
    assert item.gold == ("20",)
    assert item.extra == {}
    assert item.question.endswith("in 2019 from 2018? (in percent)")
    cakes = tatqa_row(question="What is Cakes over Total in 2019?", answer=0.21, derivation="300/1,450", scale="")
    _, rounded = only(read(tmp_path, cakes))
    assert rounded.question.endswith("(rounded to 2 decimals)")
    assert rounded.extra["tolerance"] == pytest.approx(0.01 / 0.21)


def test_tatqa_whose_derivation_gives_another_number_is_refused(tmp_path):
    assert reason(read(tmp_path, tatqa_row(answer=30))) == "gold"


def test_tatqa_spans_are_cells_or_lists(tmp_path):
    one = tatqa_row(question="What was Bread in 2019?", answer=["$1,200"], answer_type="span", scale="thousand")
    documents, item = only(read(tmp_path, one))
    assert item.capability == "T1"
    assert item.gold == ("$1,200", "1,200", "$1,200 thousand", "1,200 thousand")
    assert said(documents, item.evidence) == ["| Bread | $1,200 | $1,000 |"]
    named = tatqa_row(question="What is the table's newest year?", answer=["2019"], answer_type="span", scale="")
    assert reason(read(tmp_path, named)) == "guessable"
    named["table"] = {"uid": "abcdef0123", "table": [["", "FY19", "FY18"], *named["table"]["table"][1:]]}
    named["questions"][0]["answer"] = ["FY19"]
    # The only place is the header, which says nothing without the rows.
    assert only(read(tmp_path, named))[1].evidence == ()
    unsigned = tatqa_row(question="What was Bread in 2019?", answer=["1,200"], answer_type="span", scale="")
    assert set(only(read(tmp_path, unsigned))[1].gold) == {"1,200", "$1,200"}
    both = tatqa_row(
        question="What were Bread and Cakes?", answer=["1,200", "300"], answer_type="multi-span", scale=""
    )
    assert only(read(tmp_path, both))[1].gold == ("$1,200", "300")
    many = tatqa_row(question="What goods are sold?", answer=["Bread", "Cakes"], answer_type="multi-span", scale="")
    _, listed = only(read(tmp_path, many))
    assert (listed.capability, listed.gold) == ("T3", ("Bread", "Cakes"))


def finqa(**changes):
    asked = {
        "question": "what is the growth of bread?",
        "answer": "20%",
        "exe_ans": 0.2,
        "program": "subtract(1200, 1000), divide(#0, 1000)",
        "gold_inds": {"table_1": "the bread of 2019 is $ 1200", "text_0": "The bakery sells two kinds of goods ."},
    }
    return {
        "id": "BAK/2019/page_3.pdf-1",
        "filename": "BAK/2019/page_3.pdf",
        "pre_text": ["The bakery sells two kinds of goods .", "."],
        "post_text": ["Prices rose in spring ."],
        "table": [["", "2019", "2018"], ["bread", "$ 1200", "$ 1000"], ["cakes", "300", "450"]],
        "qa": {**asked, **changes},
    }


def test_finqa_asks_for_the_written_answer_where_the_program_agrees(tmp_path):
    documents, item = only(read(tmp_path, finqa()))
    assert item.capability == "T4"
    assert item.gold == ("20",)
    assert item.licence == "MIT"
    assert item.question.endswith("what is the growth of bread? (in percent)")
    assert said(documents, item.evidence) == ["The bakery sells two kinds of goods .", "| bread | $ 1200 | $ 1000 |"]
    _, unwritten = only(read(tmp_path, finqa(answer="", exe_ans=0.21429)))
    assert unwritten.gold == ("0.21",)
    assert unwritten.question.endswith("(rounded to 2 decimals)")
    assert reason(read(tmp_path, finqa(answer="35%"))) == "gold"
    assert reason(read(tmp_path, finqa(answer="yes", exe_ans="yes"))) == "guessable"
    _, incomplete = only(read(tmp_path, finqa(gold_inds={"table_1": "", "text_9": "Nobody wrote this ."})))
    assert incomplete.evidence == ()


def test_qmsum_is_a_dialogue_whose_turns_are_the_evidence(tmp_path):
    said_there = [
        ("Chair", "Welcome , everyone ."),
        ("Miller", "{vocalsound}"),
        ("Miller", "The mill needs repair before winter ."),
        ("Carpenter", "I want to be paid from the bridge fund ."),
        ("Chair", "Good night ."),
    ]
    row = {
        "topic_list": [],
        "general_query_list": [{"query": "Summarize the whole meeting.", "answer": "Too short."}],
        "specific_query_list": [
            {"query": "What about the mill?", "answer": LONG_ANSWER, "relevant_text_span": [["1", "3"]]}
        ],
        "meeting_transcripts": [{"speaker": speaker, "content": content} for speaker, content in said_there],
    }
    general, specific = read(tmp_path, row)
    assert general.reason.startswith("short reference")
    documents, item = only([specific])
    assert item.capability == "T9"
    assert item.gold == (LONG_ANSWER,)
    # 32 words, rounded to tens.
    assert item.question == 'About the document "Meeting 1 of rows": What about the mill? (about 30 words)'
    assert said(documents, item.evidence) == [
        "Miller: The mill needs repair before winter .\n\nCarpenter: I want to be paid from the bridge fund ."
    ]
    assert {block.kind for document in documents.values() for block in document.blocks} == {"turn"}


def test_longbench_passages_become_documents(tmp_path):
    context = f"Passage 1:\nWestlund\n{OTHER}\n\nPassage 2:\nIda Brandt\n{BRANDT}\n"
    documents, item = only(read(tmp_path, longbench("hotpotqa", context, "Where was she born?", ["Tallholm"])))
    assert [(documents[s.doc].title, documents[s.doc].text) for s in item.shown] == [
        ("Westlund", OTHER),
        ("Ida Brandt", BRANDT),
    ]
    assert item.evidence == (), "nobody says what a chain rests on"


def test_longbench_retrieval_answers_with_the_heading(tmp_path):
    context = f"Paragraph 1: {OTHER}\n\nParagraph 2: {BRANDT}\n\nParagraph 3: {FERRY}"
    row = longbench("passage_retrieval_en", context, "A captain who kept bees.", ["Paragraph 2"])
    documents, item = only(read(tmp_path, row))
    assert item.gold == ("Paragraph 2",)
    assert item.question.endswith("Answer with its heading.\nA captain who kept bees.")
    assert said(documents, item.evidence) == [f"## Paragraph 2\n\n{BRANDT}"]


def test_a_chinese_heading_is_an_answer_though_the_question_says_half_of_it(tmp_path):
    context = "段落1：港口有两台吊车。它们是在大风暴之后架设的。\n\n段落2：渡船在一九三一年建成，后来漆成绿色。"
    row = longbench("passage_retrieval_zh", context, "一艘渡船换了颜色。", ["段落2"], "zh")
    _, item = only(read(tmp_path, row))
    assert (item.gold, item.language) == (("段落2",), "zh")


def test_longbench_single_texts_counts_and_summaries(tmp_path):
    _, span = only(read(tmp_path, longbench("qasper", FERRY, "Who bought it?", ["Ida Brandt."])))
    assert span.gold == ("Ida Brandt",)
    counted = longbench("passage_count", f"Paragraph 1: {OTHER}\n\nParagraph 2: {OTHER}", "", ["1"])
    _, count = only(read(tmp_path, counted))
    assert (count.capability, count.gold) == ("T4", ("1",))
    _, summary = only(read(tmp_path, longbench("gov_report", FERRY, "", [LONG_ANSWER])))
    assert (
        summary.question == 'About the document "gov_report 0a1b2c": Summarise the whole document. (about 30 words)'
    )
    assert reason(read(tmp_path, longbench("trec", FERRY, "What?", ["x"]))) == "no context"


def loogle(question, answer, evidence=()):
    pairs = [{"Q": question, "A": answer, "S": list(evidence), "type": "x"}]
    return {"input": f"{FERRY} {BRANDT}", "title": "Marigold", "qa_pairs": repr(pairs), "output": "None"}


def test_loogle_options_timelines_numbers_and_spans(tmp_path):
    quotes = ["The ferry Marigold was built in Oskarby in 1931.", "She kept bees."]
    documents, chosen = only(read(tmp_path, loogle("What did she keep?\n1. cats\n2. bees\n3. hens", "2", quotes)))
    assert (chosen.capability, chosen.gold, chosen.options) == ("T2", ("B",), ("cats", "bees", "hens"))
    assert said(documents, chosen.evidence) == quotes
    asked = "Reorder these events:?\n1. Brandt bought it\n2. It was built\n3. It was painted"
    _, ordered = only(read(tmp_path, loogle(asked, "2,1,3")))
    assert ordered.capability == "T8"
    assert ordered.gold == ("It was built", "Brandt bought it", "It was painted")
    assert ordered.question.endswith("Reorder these events:\n- Brandt bought it\n- It was built\n- It was painted")
    _, number = only(read(tmp_path, loogle("How many years lie between?", "19 years.", [quotes[0], "Not there."])))
    assert (number.capability, number.gold, number.evidence) == ("T4", ("19 years",), ())
    _, scaled = only(read(tmp_path, loogle("What did it cost?", "3.32 Billion.")))
    assert scaled.gold == ("3.32",)
    assert scaled.question.endswith("What did it cost? (in billions)")
    documents, span = only(read(tmp_path, loogle("Where was she born?", "Tallholm.", ["She was born in Tallholm."])))
    assert span.gold == ("Tallholm",)
    assert said(documents, span.evidence) == ["She was born in Tallholm."]


def test_loogle_flat_rows_and_abstracts(tmp_path):
    flat = {"context": BRANDT, "question": "Where was she born?", "answer": "Tallholm", "title": "B", "doc_id": "1"}
    _, item = only(read(tmp_path, {**flat, "evidence": "['She was born in Tallholm.']", "task": "shortdep_qa"}))
    assert (item.capability, item.gold) == ("T1", ("Tallholm",))
    assert len(item.evidence) == 1
    _, summary = only(read(tmp_path, {**loogle("", ""), "qa_pairs": "none", "output": LONG_ANSWER}))
    assert summary.capability == "T9"
    cloze = {**loogle("", ""), "qa_pairs": [{"Q": "<mask-0> was built", "A": {"<mask-0>": "It"}, "S": []}]}
    assert reason(read(tmp_path, cloze)) == "no answer"


def longbench_pro(task, question, answer, **changes):
    row = {
        "id": "f00dfeed99",
        "context": f"{FERRY}\n\n{BRANDT}",
        "language": "English",
        "primary_task": task.split()[0],
        "secondary_task": task,
        "question_nonthinking": question,
        "question_thinking": question,
        "answer": answer,
    }
    return {**row, **changes}


def test_longbench_pro_takes_its_metric_from_the_task_and_loses_its_output_example(tmp_path):
    question = (
        'List the towns.\nOutput the "[Answer]" identifier first.\n\nOutput example:\n[Answer]\nTown one\nTown two'
    )
    task = "T6.2 Targeted Subset Cluster Identification"
    _, item = only(read(tmp_path, longbench_pro(task, question, ["Oskarby", "Tallholm"])))
    assert item.capability == "T3"
    assert item.gold == ("Oskarby", "Tallholm")
    assert item.question == (
        'About the document "LongBench Pro f00dfeed": List the towns.\nOutput the "[Answer]" identifier first.'
    )
    choice = "What did she keep?\nA. Cats\nB. Bees\nC. Hens\nOutput example:\n[Answer]\nA"
    _, chosen = only(read(tmp_path, longbench_pro("T3.2 Single-Hop Fact QA", choice, ["B"])))
    assert (chosen.capability, chosen.gold, chosen.options) == ("T2", ("B",), ("Cats", "Bees", "Hens"))
    assert reason(read(tmp_path, longbench_pro("T3.2 Single-Hop Fact QA", "What?", ["B"]))) == "options"
    assert reason(read(tmp_path, longbench_pro("T99 New Task", "What?", ["B"]))) == "unknown task"
    two = longbench_pro("T2.1 Global Timeline Reconstruction", "Order them.", ["built", "bought"])
    assert reason(read(tmp_path, two)) == "short list"


def published(prompt, question, gold, reward_mode="EM", source="EM", **truth):
    return {
        "data_source": source,
        "prompt": [{"role": "user", "content": prompt}],
        "ability": "precise long-range information retrieval",
        "reward_model": {
            "style": "rule",
            "ground_truth": {"golden_label": gold, "doc_ids": [], "summary": "English", **truth},
        },
        "extra_info": {"index": 0, "reward_mode": reward_mode, "question": question},
    }


def test_a_published_row_is_taken_apart_at_its_question(tmp_path):
    asked = "Where was Ida Brandt born?"
    context = f"[Document 1] Marigold\n{FERRY}\n\n[Document 2] Ida Brandt\n{BRANDT}"
    prompt = (
        f"Read the documents and answer the question.\n\n{context}\n\nQuestion: {asked}\n\nEnd your reply with it."
    )
    documents, item = only(read(tmp_path, published(prompt, asked, "Tallholm")))
    assert [documents[s.doc].title for s in item.shown] == ["Marigold", "Ida Brandt"]
    assert said(documents, item.shown) == [FERRY, BRANDT]
    assert (item.question, item.gold, item.capability) == (asked, ("Tallholm",), "T1")
    first = f"Read the question.\n\nQuestion: {asked}\n\n{context}\n\nEnd your reply with the answer."
    documents, item = only(read(tmp_path, published(first, asked, "Tallholm")))
    assert said(documents, item.shown) == [FERRY, BRANDT]


def test_a_record_of_a_build_keeps_the_licences_of_its_documents(tmp_path):
    row = published(f"{FERRY} {BRANDT}\n\nWhere was Ida Brandt born?", "Where was Ida Brandt born?", "Tallholm")
    assert only(read(tmp_path, row))[1].licence == "unknown"
    row["extra_info"]["licence"] = ["MIT", "CC0", "MIT"]
    assert only(read(tmp_path, row))[1].licence == "CC0, MIT"


def test_a_published_row_about_all_documents_keeps_them_together(tmp_path):
    asked = "List every town in order of appearance."
    context = f"[Document 1] Marigold\n{FERRY}\n\n[Document 2] Ida Brandt\n{BRANDT}"
    mode = "T6.2 Targeted Subset Cluster Identification"
    row = published(f"{context}\n\n{asked}", asked, "", mode, "longbench_pro", doc_ids=["Oskarby", "Tallholm"])
    _documents, item = only(read(tmp_path, row))
    assert len(item.shown) == 1
    assert item.question == f'About the document "rows 1": {asked}'
    assert (item.capability, item.gold) == ("T3", ("Oskarby", "Tallholm"))


def test_a_published_row_that_cannot_be_taken_apart_is_refused(tmp_path):
    lost = published(f"{FERRY}\n\nWhere?", "Another question?", "Oskarby")
    assert reason(read(tmp_path, lost)) == "prompt"
    several = copy.deepcopy(published(f"{FERRY} {BRANDT}\n\nWhere?", "Where?", "Oskarby"))
    several["prompt"] *= 2
    assert reason(read(tmp_path, several)) == "prompt"
    broken = published(FERRY, "Where?", "Oskarby", "no such mode", "nowhere")
    assert reason(read(tmp_path, broken)) == "record"
    sources = published(
        f"{FERRY} {BRANDT}\n\nHow many?", "How many?", "2", "retrieval_calculate", "retrieval_calculate"
    )
    assert reason(read(tmp_path, sources)) == "prompt"
