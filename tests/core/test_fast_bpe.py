"""Counts of the fast counter against `tokenizers`, on byte-level BPE files trained here."""

import json
import multiprocessing
import random
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, trainers

from golongrl.core.fast_bpe import DEEPSEEK, LLAMA3, O200K, QWEN2, QWEN35, NotExactError, open_fast, unsupported
from golongrl.core.tokens import FastTokenizer, load

PLAIN = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
WORDS = "the thing other ing cafe\u0301 é Straße 中文字 文字 的 2024 12 int i = 0 ; // for 'll 's don't we're"
PIECES = (
    *" \t\n\r\v\f\x1c\x85\xa0\u1680\u180e\u2003\u200b\u2028\u3000\ufeff",
    *("  ", "\r\n", "\n\n\n", " \n", "   x", "the", " the", "The", "THE", "ing", "'s", "'LL", "’s", "'ſ", "don't"),
    *("<|im_start|>", "<|im_end|>", "<|im_", "|>", "<think>", "</think>", "<", ">", "<|im_start", "im_end|>"),
    *("é", "e\u0301", "\u0301\u0327", "\u212b", "A\u030a", "각", "\u1100\u1161\u11a8", "\u1e9b\u0323", "\u0344"),
    *("7", "2024", "½", "٣", "Ⅷ", "①", "3.14", "中", "文字", "。", "「", "あ", "ก็", "हि", "ǅ", "ß", "ﬁ", "İ"),
    *("👩\u200d👩\u200d👧", "🇩🇪", "\x00", "\x04", "=", "!!", "/*", "://", "_x", "\u0378", "\U000e0001", "\U0010ffff"),
)


def split(*patterns: str) -> pre_tokenizers.PreTokenizer:
    steps = [pre_tokenizers.Split(Regex(pattern), behavior="isolated") for pattern in patterns]
    return pre_tokenizers.Sequence([*steps, PLAIN])


SHAPES = {
    "qwen2": (split(QWEN2), normalizers.NFC()),
    "qwen3.5": (split(QWEN35), normalizers.NFC()),
    "llama3": (split(LLAMA3), None),
    "o200k": (split(O200K), None),
    "deepseek": (split(*DEEPSEEK), normalizers.Sequence([])),
    "gpt2": (GPT2, None),
    "smollm2": (pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), GPT2]), None),
}


def train(pre_tokenizer, normalizer=None) -> tokenizers.Tokenizer:
    """A byte-level BPE of 1,200 tokens, three of them added ones as in Qwen3."""
    words = WORDS.split()
    lines = [" ".join(words[i:] + words[:i]) + "\n\n    x\t" + "  ".join(words[i::2]) for i in range(len(words))]
    lines += ["".join(PIECES[i::step]) for step in (1, 2, 3, 5, 7) for i in range(step)]
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        backend.normalizer = normalizer
    backend.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend.train_from_iterator(
        lines * 3, trainers.BpeTrainer(vocab_size=1200, initial_alphabet=alphabet, show_progress=False)
    )
    backend.add_special_tokens([AddedToken(token, normalized=False) for token in ("<|im_start|>", "<|im_end|>")])
    backend.add_tokens([AddedToken("<think>", normalized=False)])
    return backend


@dataclass
class Trained:
    folder: Path
    reference: tokenizers.Tokenizer
    tokenizer: FastTokenizer

    def content(self) -> dict:
        return json.loads((self.folder / "tokenizer.json").read_text())

    def counts(self, texts: list[str]) -> list[int]:
        return [len(self.reference.encode(text, add_special_tokens=False).ids) for text in texts]


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> dict[str, Trained]:
    made = {}
    for name, (pre_tokenizer, normalizer) in SHAPES.items():
        folder = tmp_path_factory.mktemp(name)
        save(train(pre_tokenizer, normalizer), folder)
        reference = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        made[name] = Trained(folder, reference, load(str(folder)))
    return made


@pytest.fixture
def changed(trained, tmp_path):
    """Load the Qwen2 file with one part replaced."""

    def change(**parts) -> FastTokenizer:
        content = trained["qwen2"].content()
        content["model"].update(parts.pop("model", {}))
        (tmp_path / "tokenizer.json").write_text(json.dumps(content | parts))
        return load(str(tmp_path))

    return change


def save(backend, folder: Path) -> str:
    backend.save(str(folder / "tokenizer.json"))
    return str(folder)


# --- equal counts ---


@pytest.mark.parametrize("shape", SHAPES)
def test_known_files_are_counted_by_fastokens(trained, shape):
    tokenizer = trained[shape].tokenizer
    assert (tokenizer.backend, tokenizer.slow_because) == ("fastokens", None)


def test_merges_hold_inside_a_word_only(trained):
    tokenizer = trained["qwen2"].tokenizer
    # " the", "<|im_start|>" and " 中文字" are tokens; digits stand alone; e + accent is one character after NFC.
    assert tokenizer.count(" the the") == 2
    assert tokenizer.count("<|im_start|><|im_start|>") == 2
    assert tokenizer.count("2024") == 4
    assert tokenizer.count("é") == tokenizer.count("e\u0301") == 1
    assert trained["llama3"].tokenizer.count("e\u0301") > 1


@pytest.mark.parametrize("shape", SHAPES)
@settings(deadline=None, max_examples=150)
@given(
    texts=st.lists(
        st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=25).map("".join), min_size=1, max_size=4
    )
)
def test_counts_and_ids_are_those_of_tokenizers(trained, shape, texts):
    one = trained[shape]
    expected = [one.reference.encode(text, add_special_tokens=False).ids for text in texts]
    assert [one.tokenizer.encode(text) for text in texts] == expected
    assert [one.tokenizer.count(text) for text in texts] == [len(ids) for ids in expected]
    assert one.tokenizer.count_many(texts) == [len(ids) for ids in expected]
    assert [one.tokenizer.decode(ids) for ids in expected] == [
        one.reference.decode(ids, skip_special_tokens=False) for ids in expected
    ]


def seams(pre_tokenizer, normalizer=None) -> tokenizers.Tokenizer:
    """A vocabulary whose only merges join the last byte of a character and the first of the next, so that counts show
    where a text is split."""

    def shown(text: str) -> str:
        return "".join(piece for piece, _ in PLAIN.pre_tokenize_str(text))

    starts = (*range(0x80, 0x800, 64), *range(0x800, 0x10000, 4096), *range(0x10000, 0x110000, 0x40000))
    letters = list(shown("a1 .'\n"))
    first = list(dict.fromkeys(shown(chr(point))[0] for point in starts if not 0xD800 <= point < 0xE000))
    last = [shown(chr(0x80 + i))[-1] for i in range(64)]
    merges = [(x, y) for x in (*last, *letters) for y in (*first, *letters)]
    random.Random(0).shuffle(merges)
    tokens = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(x + y for x, y in merges)]
    backend = tokenizers.Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    backend.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        backend.normalizer = normalizer
    backend.decoder = decoders.ByteLevel()
    return backend


@pytest.mark.parametrize("shape", SHAPES)
def test_every_character_is_split_as_tokenizers_splits_it(shape, tmp_path):
    reference = seams(*SHAPES[shape])
    tokenizer = load(save(reference, tmp_path))
    assert tokenizer.backend == "fastokens"
    points = [*range(0x3100), *range(0x3100, 0xD800, 17), *range(0xE000, 0x20000, 7), *range(0xE0000, 0xE0200, 3)]
    texts = [f"aa{c}a1{c} {c}{c}.\n{c} {c}\n'{c}a" for c in map(chr, points)]
    expected = [len(encoding.ids) for encoding in reference.encode_batch(texts, add_special_tokens=False)]
    wrong = [hex(p) for p, n, m in zip(points, tokenizer.count_many(texts), expected, strict=True) if n != m]
    assert wrong == []


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "text",
    [
        " " * 100_000,
        "\r\n" * 50_000,
        "a" * 100_000,
        "thing" * 20_000 + "中文" * 20_000,
        "e" + "\u0301\u0327" * 30_000,
        "<|im_start|>user\n" * 5_000,
        ("".join(PIECES) + "\n") * 300,
    ],
    ids=["spaces", "crlf", "one letter", "no spaces", "marks", "added tokens", "everything"],
)
def test_long_texts(trained, shape, text):
    one = trained[shape]
    assert one.tokenizer.count(text) == one.counts([text])[0]


def test_bytes_that_the_vocabulary_lacks(trained, tmp_path):
    # SmolLM2 has no token for some control characters, and tokenizers leaves them out.
    content = trained["smollm2"].content()
    model, missing = content["model"], PLAIN.pre_tokenize_str("\x04")[0][0]
    model["merges"] = [pair for pair in model["merges"] if missing not in "".join(pair)]
    model["vocab"] = {token: i for i, token in enumerate(token for token in model["vocab"] if missing not in token)}
    content["added_tokens"] = []
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    tokenizer = load(str(tmp_path))
    assert tokenizer.backend == "fastokens"
    assert tokenizer.count("a\x04") == tokenizer.count("a")
    assert tokenizer.count_many(["the\x04thing", "the"]) == [
        len(tokenizer._reference.encode(text).ids) for text in ("the\x04thing", "the")
    ]
    with pytest.raises(ValueError, match="no token in vocabulary"):
        tokenizer._fast.count("a\x04")


def test_a_lone_surrogate_is_refused_as_before(trained):
    tokenizer = trained["qwen2"].tokenizer
    for call in (tokenizer.count, tokenizer.encode, lambda text: tokenizer.count_many([text])):
        with pytest.raises(TypeError):
            call("a\ud83db")


def test_merges_written_as_strings(trained, changed):
    merges = [" ".join(pair) for pair in trained["qwen2"].content()["model"]["merges"]]
    tokenizer = changed(model={"merges": merges})
    assert tokenizer.backend == "fastokens"
    assert tokenizer.count_many(PIECES) == trained["qwen2"].counts(list(PIECES))


# --- files that are left to tokenizers ---


SPLIT = {"type": "Split", "pattern": {"Regex": QWEN2}, "behavior": "Isolated", "invert": False}
LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


def steps(*parts: dict) -> dict:
    return {"type": "Sequence", "pretokenizers": list(parts)}


def added(content: str, **options: bool) -> dict:
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    return {"id": 1200, "content": content} | plain | options


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"normalizer": {"type": "NFKC"}}, "its normalizer is not NFC"),
        ({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}}, "normalizer"),
        ({"pre_tokenizer": None}, "its pre-tokenizer is none of"),
        ({"pre_tokenizer": steps(SPLIT | {"pattern": {"Regex": r"\w+|\W"}}, LEVEL)}, "its pre-tokenizer is none of"),
        ({"pre_tokenizer": steps(SPLIT | {"behavior": "Removed"}, LEVEL)}, "its pre-tokenizer is none of"),
        ({"pre_tokenizer": steps(SPLIT | {"invert": True}, LEVEL)}, "its pre-tokenizer is none of"),
        ({"pre_tokenizer": steps(SPLIT | {"pattern": {"String": "a"}}, LEVEL)}, "its pre-tokenizer is none of"),
        ({"pre_tokenizer": steps(SPLIT, LEVEL | {"add_prefix_space": True})}, "its pre-tokenizer is none of"),
        ({"model": {"dropout": 0.5}}, "its model sets dropout"),
        ({"model": {"unk_token": "Q"}}, "its model sets unk_token"),
        ({"model": {"byte_fallback": True}}, "its model sets byte_fallback"),
        ({"added_tokens": [added("<x>", lstrip=True)]}, "an added token sets lstrip"),
        ({"added_tokens": [added("<x>", rstrip=True)]}, "an added token sets rstrip"),
        ({"added_tokens": [added("<x>", single_word=True)]}, "an added token sets single_word"),
    ],
)
def test_other_files_are_counted_by_tokenizers(changed, parts, reason):
    tokenizer = changed(**parts)
    assert tokenizer.backend == "tokenizers"
    assert reason in tokenizer.slow_because
    text = "the  thing <x> don't 2024 é"
    assert tokenizer.count_many([text, ""])[1] == 0
    if "dropout" not in reason:
        assert tokenizer.count(text) == len(tokenizer._reference.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize(
    ("tokens", "fits"),
    [
        ([("<a>", True), ("<b>", False)], True),
        ([("<a>", True), ("<a>b", False)], False),
        ([("<a>", True), ("x<a", False)], False),
        ([("ab", True), ("ba", False)], False),
        ([("ab", False), ("ba", False)], True),
        ([("ab", True), ("ba", True)], True),
    ],
)
def test_added_tokens_that_can_overlap(trained, tokens, fits):
    content = trained["gpt2"].content()
    content["added_tokens"] = [added(token, normalized=normalized) for token, normalized in tokens]
    assert (unsupported(content) is None) == fits
    # With a normalizer both packages look for all of them in the same order.
    content["normalizer"] = {"type": "NFC"}
    assert unsupported(content) is None


def test_digits_that_stand_alone(trained):
    one = trained["smollm2"]
    # One token for an ASCII digit; Eastern Arabic and Roman ones have two and three bytes.
    assert one.tokenizer.count_many(["", "2024", "٣", "Ⅷ", "2Ⅷa٣"]) == one.counts(["", "2024", "٣", "Ⅷ", "2Ⅷa٣"])
    assert one.tokenizer.count("2024") == 4
    content = one.content()
    content["added_tokens"].append(added("<v2>"))
    with pytest.raises(NotExactError, match="an added token holds a digit"):
        open_fast(one.folder / "tokenizer.json", content, one.reference)
    content = one.content() | {"normalizer": {"type": "NFC"}}
    assert unsupported(content) == "it normalizes text whose digits stand alone"


def test_a_word_level_model_is_counted_by_tokenizers(tmp_path):
    tokenizer = load(save(tokenizers.Tokenizer(models.WordLevel({"?": 0}, unk_token="?")), tmp_path))
    assert tokenizer.backend == "tokenizers"
    assert tokenizer.count("a b") == 1


def test_a_file_whose_ids_differ_is_not_taken(trained):
    qwen, llama = trained["qwen2"], trained["llama3"]
    with pytest.raises(NotExactError, match=r"give .* different ids"):
        open_fast(qwen.folder / "tokenizer.json", qwen.content(), llama.reference)


def test_a_broken_file_is_not_taken(trained, tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(NotExactError, match="fastokens does not read the file"):
        open_fast(tmp_path / "tokenizer.json", trained["qwen2"].content(), trained["qwen2"].reference)


def test_without_the_package_tokenizers_counts(trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastokens", None)
    one = trained["qwen2"]
    tokenizer = load(str(one.folder))
    assert tokenizer.backend == "tokenizers"
    assert "fastokens cannot be imported" in tokenizer.slow_because
    assert tokenizer.count_many(PIECES) == one.counts(list(PIECES))


# --- threads and processes ---


def count_in_a_process(job: tuple[str, list[str]]) -> list[int]:
    return load(job[0]).count_many(job[1])


def test_threads_and_processes_count_alike(trained):
    one = trained["qwen2"]
    texts = ["".join(PIECES[i::3]) * 40 for i in range(60)]
    expected = one.counts(texts)
    seen: list[list[int]] = []

    def work() -> None:
        seen.append([one.tokenizer.count(text) for text in texts])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        seen += pool.map(count_in_a_process, [(str(one.folder), texts)])
    assert seen == [expected] * 9
