"""Prompts that do not fit, the order in which they are sent, and what became of every sample."""

import itertools
import json

import benchmark_rows
import llm_server
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core import chat, chat_template, prompts, tokens
from golongrl.core.byte_model import CHAT_TEMPLATE
from golongrl.core.config import build
from golongrl.core.errors import UsageError
from golongrl.core.records import Score
from golongrl.pipeline.evaluation import order, overlong, pace, repeats, runner, samples
from golongrl.pipeline.evaluation.benchmarks.base import Item
from golongrl.pipeline.evaluation.config import EvalConfig
from golongrl.pipeline.evaluation.job import Slot

APPROX = tokens.load("approx")


def count(messages):
    return sum(APPROX.count(message["content"]) + 8 for message in messages)


def item(identity="a", document="word " * 200, before="Read.\n", after="\nQuestion: who?", cluster=""):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": before + document + after},
        {"role": "assistant", "content": "Yes?"},
    ]
    return Item(identity, messages, {}, {}, cluster, document=(1, len(before), len(before) + len(document)))


def test_only_the_document_is_cut():
    whole = item(document="start " + "middle " * 300 + "end.")
    cut, n_input, n_cut = overlong.cut_document(whole, count(whole.messages), 200, APPROX, count)
    assert n_input == count(cut.messages) <= 200
    # As little goes as needed: within a token or two of the limit.
    assert n_input >= 195
    assert n_cut == count(whole.messages) - n_input
    assert [message["role"] for message in cut.messages] == ["system", "user", "assistant"]
    assert cut.messages[0] == whole.messages[0]
    content = cut.messages[1]["content"]
    assert content.startswith("Read.\nstart middle")
    assert content.endswith("end.\nQuestion: who?")
    place, start, end = cut.document
    assert (place, content[:start], content[end:]) == (1, "Read.\n", "\nQuestion: who?")
    # The item that was given is as it was.
    assert len(whole.messages[1]["content"]) > 2000


def test_tokens_that_a_cut_itself_adds_are_counted():
    def with_seams(messages):
        return count(messages) + 3 * sum("\n...\n" in message["content"] for message in messages)

    whole = item()
    cut, n_input, _ = overlong.cut_document(whole, with_seams(whole.messages), 150, APPROX, with_seams)
    assert 145 <= n_input == with_seams(cut.messages) <= 150


def test_what_has_no_document_or_no_room_is_not_cut():
    whole = item()
    no_document = Item("a", whole.messages, {})
    assert overlong.cut_document(no_document, count(whole.messages), 100, APPROX, count) is None
    # Question and roles alone have 31 tokens, and a document needs one besides the mark of the cut.
    assert overlong.cut_document(whole, count(whole.messages), 31, APPROX, count) is None


@settings(deadline=None, max_examples=60)
@given(st.text(min_size=1, max_size=400), st.text(max_size=60), st.text(max_size=60), st.integers(20, 150))
def test_question_and_roles_survive_every_cut(document, before, after, limit):
    whole = item(document=document, before=before, after=after)
    n_input = count(whole.messages)
    if n_input <= limit:
        return
    found = overlong.cut_document(whole, n_input, limit, APPROX, count)
    if found is None:
        return
    cut, now, _ = found
    assert now == count(cut.messages) <= limit
    _, start, end = cut.document
    content = cut.messages[1]["content"]
    assert (content[:start], content[end:]) == (before, after)
    assert [m for i, m in enumerate(cut.messages) if i != 1] == [m for i, m in enumerate(whole.messages) if i != 1]


ROWS = [
    {
        "id": str(number),
        "Prompt": "Which town has the lighthouse?",
        "Answer": "Norwick",
        "wiki_items": [{"title": "Norwick", "text": "It has a lighthouse. " * (30 if number else 3000)}],
    }
    for number in range(3)
]


def config(server, tmp_path, **values):
    (tmp_path / "rows.jsonl").write_bytes(benchmark_rows.jsonl(ROWS))
    defaults = {"bench": "frames", "data": str(tmp_path / "rows.jsonl"), "model": "echo", "max_input": 1000}
    return build(EvalConfig, {**defaults, "base_url": server.base_url, "out": str(tmp_path / "run"), **values})


def read(tmp_path):
    return [json.loads(line) for line in (tmp_path / "run" / "samples.jsonl").read_text().splitlines()]


def test_middle_document_asks_with_a_shorter_document(tmp_path):
    with llm_server.start() as server:
        card = runner.evaluate(config(server, tmp_path, overlong="middle-document"))
        # Two of the three rows ask the same.
        assert server.stats()["requests"] == 2
    results = card.cards[0].results
    assert (results["n_scored"], results["n_overlong"], results["n_cut"]) == (3, 0, 1)
    found = read(tmp_path)
    assert [s["n_cut_tokens"] > 0 for s in found] == [True, False, False]
    assert 990 <= found[0]["n_input_tokens"] <= 1000
    # Reported under its own length, not that of what is left.
    assert [s["length"] for s in found] == ["16k", "4k", "4k"]
    # The scripted model echoes its prompt: question and instruction were there, whole.
    rows = (tmp_path / "run" / "generations.jsonl").read_text().splitlines()
    texts = [json.loads(row)["text"] for row in rows]
    assert all(
        "Question: Which town has the lighthouse?" in text and "Therefore, the answer" in text for text in texts
    )
    assert sum("\n...\n" in text for text in texts) == 1
    assert any("cut to fit" in line for line in card.remarks())


def test_error_stops_before_the_first_request_and_skip_counts(tmp_path):
    with llm_server.start() as server:
        with pytest.raises(UsageError, match=r"frames: 1 prompts have more than 1000.*the first: 0.*--overlong skip"):
            runner.evaluate(config(server, tmp_path, overlong="error"))
        assert not (tmp_path / "run").exists()
        assert server.stats()["requests"] == 0
        card = runner.evaluate(config(server, tmp_path))
        assert server.stats()["requests"] == 1
    assert card.cards[0].results["counts"]["overlong_input"] == 1
    assert card.rows()[0][-1] == "1 overlong_input"


def slot(identity, n_tokens, document, repeat=0, question="who?"):
    one = item(identity, document=document, cluster=identity, after=f"\nQuestion: {question}")
    prompt = prompts.measure(one.messages)
    request = chat.Request(prompt, chat.Sampling(), 0, repeat, n_tokens)
    return Slot(one, repeat, n_tokens, request, prompt=prompt)


def test_prompts_of_one_context_go_together_long_ones_first():
    x, y, z = ("".join(f"{name} is {n}. " for n in range(900)) for name in "xyz")
    slots = [
        slot("a", 5000, x, question="a"),
        slot("b", 9000, y, question="b"),
        slot("c", 6000, x, question="c"),
        slot("d", 7000, z, question="d"),
        slot("e", 4000, y, question="e"),
        slot("a", 5000, x, repeat=1, question="a"),
    ]
    without = Slot(item("f"), 0, 10_000, None, overlong=True)
    sent = order.sending_order([*slots, without])
    assert [s.item.id for s in sent] == ["b", "e", "d", "c", "a", "a"]
    groups = [s.request.group for s in sent]
    assert [len(set(groups[:2])), groups[2], len(set(groups[3:]))] == [1, "", 1]
    assert groups[0] != groups[3]
    # What all of a group share, in tokens of its shortest: nearly all of 4000, of 5000.
    assert 3000 < sent[0].request.n_shared == sent[1].request.n_shared < 4000
    assert 3750 < sent[3].request.n_shared == sent[5].request.n_shared < 5000


def test_nobody_waits_for_a_short_common_start():
    instruction = "Read this with care, and answer in one word. " * 20
    slots = [slot(str(n), 250, instruction + f"{n} " * n) for n in range(5)]
    assert all(s.request.group == "" for s in order.sending_order(slots))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 9)), max_size=30))
def test_every_request_is_sent_once_and_contexts_are_never_torn(pairs):
    slots = [slot(str(number), size, str(context) * 2000) for number, (context, size) in enumerate(pairs)]
    sent = order.sending_order(slots)
    assert sorted(s.item.id for s in sent) == sorted(s.item.id for s in slots)
    contexts = [s.item.messages[1]["content"][6] for s in sent]
    changes = sum(one != other for one, other in itertools.pairwise(contexts))
    assert changes == max(0, len(set(contexts)) - 1)


def test_shuffled_questions_over_one_corpus_meet_a_warm_cache(tmp_path):
    """20 contexts with 15 questions each, in an order that parts them: a cache of one context serves nearly all."""
    rows = []
    for number in range(300):
        context, question = number % 20, number // 20
        corpus = f"# Document 1:\nCompany {context} sold {context} ships. " + f"Filler {context}. " * 40
        prompt = [{"role": "user", "content": f"Read.\n{corpus}\nQuestion: What about {question}?\nAnswer it."}]
        rows.append(
            {"id": f"r{number}", "prompt": prompt, "question": f"What about {question}?", "answer": "x"},
        )
    path = tmp_path / "rows.jsonl"
    path.write_bytes(benchmark_rows.jsonl(rows))
    with llm_server.start("--prefix-chars", 400) as server:
        asked = {"bench": "corpusqa-128k", "data": str(path), "concurrency": 1, "model": "echo"}
        runner.evaluate(build(EvalConfig, {**asked, "base_url": server.base_url, "out": str(tmp_path / "run")}))
        stats = server.stats()
    # 300 requests, 20 of which are the first of their context; in the order of the file none would hit.
    assert stats["requests"] == 300
    assert stats["prefix_hits"] == 280


def test_what_became_of_a_sample():
    one = samples.facts_of(slot("a", 5, "x"))

    def status(score, finish="stop", **values):
        answer = chat.Generation(key="k", text="t", finish_reason=finish)
        found = samples.with_answer(one, answer, score, **values)
        return found["status"], found["score"], found["reason"]

    assert status(Score(value=0.5)) == ("ok", 0.5, "ok")
    assert status(Score(value=0.0, reason="no_answer")) == ("no_answer", 0.0, "no_answer")
    assert status(Score(value=0.0, reason="unclosed_think")) == ("no_answer", 0.0, "unclosed_think")
    assert status(Score(value=1.0), "length") == ("truncated_output", 1.0, "truncated")
    assert status(Score(value=0.0, reason="unclosed_think"), "length") == ("truncated_output", 0.0, "unclosed_think")
    assert status(Score(value=None, reason="error")) == ("unjudged", None, "error")
    assert status(Score(value=None, reason="error"), judge_failed=True) == ("judge_error", None, "error")

    def failed(kind):
        answer = chat.Generation(key="k", error=chat.ChatError(kind=kind, message="m"))
        found = samples.without_score(one, answer, 9)
        return found["status"], found["reason"]

    assert failed("server") == ("server_error", "error")
    assert failed("refused") == ("server_error", "error")
    assert failed("timeout") == ("server_error", "timeout")
    assert failed("overlong") == ("overlong_input", "truncated")
    assert samples.without_score(one, None, 9)["status"] == "server_error"


def test_pass_at_k_by_hand():
    # 4 answers, 1 right: k=1 1/4; k=2 1 - C(3,2)/C(4,2) = 1/2; k=4 1.
    assert [repeats.pass_at_k(4, 1, k) for k in (1, 2, 4)] == [0.25, 0.5, 1.0]
    assert [repeats.pass_at_k(4, c, 2) for c in (0, 4)] == [0.0, 1.0]

    def rows(**scores):
        return [{"id": name, "score": score} for name, several in scores.items() for score in several]

    assert repeats.over_repeats(rows(a=[1.0], b=[0.0])) is None
    assert repeats.over_repeats(rows(a=[1.0, 0.0, 0.0], b=[1.0, 1.0, 1.0], c=[1.0, 1.0, None])) == {
        "n": 3,
        "n_items": 2,
        "n_items_left_out": 1,
        # (1/3 + 1) / 2; k=2: (1 - 1/3 + 1) / 2.
        "avg@3": 0.666667,
        "pass@1": 0.666667,
        "pass@2": 0.833333,
        "pass@3": 1.0,
    }
    # Graded scores are neither right nor wrong.
    assert repeats.over_repeats(rows(a=[0.5, 1.0])) == {"n": 2, "n_items": 1, "n_items_left_out": 0, "avg@2": 0.75}


def test_the_progress_says_how_fast_and_how_long():
    notes = []
    now = iter([0.0, 2.0, 4.0, 3604.0])

    class Shown:
        def advance(self, count=1):
            pass

        def note(self, text):
            notes.append(text)

    scores = iter(["", "score 0.500 of 1", "score 0.250 of 2"])
    sizes = {"a": 3000, "b": 2000, "c": 1000, "d": 1000}
    show = pace.pace(Shown(), sizes, lambda: next(scores), clock=lambda: next(now))
    usage = chat.Usage(prompt_tokens=1, completion_tokens=100)
    show(chat.Generation(key="a", text="t", usage=usage))
    show(chat.Generation(key="b", error=chat.ChatError(kind="server", message="m")))
    show(chat.Generation(key="c", text="t", usage=usage))
    # An answer's 100 tokens weigh as much as 3000 of a prompt: 6001 done in 2 s, 4000 + 3 x 3001 left; then 8002 in
    # 4 s, 2000 + 2 x 1501 left; then 12003 in 3604 s, 1000 + 2001 left.
    assert notes == [
        "50 tokens/s, 0:04 left",
        "25 tokens/s, score 0.500 of 1, 1 errors, 0:03 left",
        "0 tokens/s, score 0.250 of 2, 1 errors, 15:01 left",
    ]


def test_a_cut_is_exact_by_the_models_own_tokenizer_and_template(tmp_path):
    import tokenizers

    text = "The keeper counts the ships that pass the lighthouse. 灯塔的看守人数着经过的船只。 " * 40
    backend = tokenizers.Tokenizer(tokenizers.models.BPE())
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator([text], tokenizers.trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet))
    backend.save(str(tmp_path / "tokenizer.json"))
    tokenizer = tokens.load(str(tmp_path))

    def by_template(messages):
        return chat_template.prompt_tokens(tokenizer, messages, (CHAT_TEMPLATE, {}))

    whole = item(document=text)
    size = by_template(whole.messages)
    for limit in range(size - 40, 150, -37):
        cut, now, n_cut = overlong.cut_document(whole, size, limit, tokenizer, by_template)
        assert limit - 12 <= now == by_template(cut.messages) <= limit
        # What is left is the document's own start and end, with no half of a character.
        head, tail = (
            cut.messages[1]["content"].removeprefix("Read.\n").removesuffix("\nQuestion: who?").split("\n...\n")
        )
        assert text.startswith(head)
        assert text.endswith(tail)
        assert n_cut == tokenizer.count(text) - tokenizer.count(f"{head}\n...\n{tail}")
