import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core.errors import DataError, UsageError
from golongrl.core.tokens import (
    ApproxTokenizer,
    FastTokenizer,
    format_length,
    label,
    length_bin,
    load,
    parse_length,
    truncate_middle,
)

APPROX = ApproxTokenizer()
MARKER = "\n...\n"


def byte_level() -> FastTokenizer:
    """One token per UTF-8 byte."""
    import tokenizers

    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    backend = tokenizers.Tokenizer(tokenizers.models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    return FastTokenizer("bytes", backend)


def save(backend, folder) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    backend.save(str(folder / "tokenizer.json"))
    return str(folder)


BYTES = byte_level()


# --- lengths ---


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("512", 512),
        (512, 512),
        ("4k", 4096),
        ("4K", 4096),
        (" 1m ", 1_048_576),
        ("1.5k", 1536),
        ("0.5m", 524_288),
        ("128 k", 131_072),
        ("160k", 163_840),
    ],
)
def test_parse_length(text, tokens):
    assert parse_length(text) == tokens


@pytest.mark.parametrize(
    "text", ["", "k", "4g", "-4k", "4kb", "0", "0k", "0.5", "0.0001k", "1e3", "4 k 2", "nan", "1,000"]
)
def test_what_is_no_length(text):
    with pytest.raises(UsageError, match="is not a length; write 512, 4k or 1m"):
        parse_length(text)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (1, "1"),
        (512, "512"),
        (1024, "1k"),
        (1025, "1025"),
        (131_072, "128k"),
        (1_048_576, "1m"),
        (1_049_600, "1025k"),
    ],
)
def test_format_length(tokens, text):
    assert format_length(tokens) == text


@given(st.integers(1, 2**40))
def test_formatting_is_the_inverse_of_parsing(tokens):
    assert parse_length(format_length(tokens)) == tokens


def test_length_bins_hold_their_bound():
    bounds = (16384, 4096, 8192)
    assert [length_bin(n, bounds) for n in (0, 4096, 4097, 8192, 16384, 16385)] == [
        "4k",
        "4k",
        "8k",
        "8k",
        "16k",
        ">16k",
    ]


@given(st.integers(0, 10_000), st.lists(st.integers(1, 10_000), min_size=1, unique=True))
def test_a_bin_is_the_smallest_bound_that_holds_the_length(tokens, bounds):
    holding = [bound for bound in bounds if tokens <= bound]
    assert length_bin(tokens, bounds) == (
        format_length(min(holding)) if holding else ">" + format_length(max(bounds))
    )


# --- tokenizers ---


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("中文", 2), ("\ud83d", 1)]
)
def test_approx_counts_bytes_by_four(text, tokens):
    assert APPROX.count(text) == tokens


@given(st.text())
def test_approx_gives_back_any_text(text):
    assert APPROX.decode(APPROX.encode(text)) == text
    assert APPROX.count_many([text, "", text]) == [len(APPROX.encode(text)), 0, len(APPROX.encode(text))]


def test_half_a_character_is_dropped_by_approx():
    assert APPROX.decode(APPROX.encode("中文")[:1]) == "中"


def test_a_tokenizer_is_loaded_from_its_folder_or_file(tmp_path):
    save(BYTES._reference, tmp_path)
    for name in (tmp_path, tmp_path / "tokenizer.json"):
        tokenizer = load(str(name))
        assert tokenizer.name == str(name)
        assert tokenizer.count("héllo") == 6
        assert tokenizer.decode(tokenizer.encode("héllo 中 ")) == "héllo 中 "
    assert load("approx").count("abcde") == 2


def test_a_length_limit_in_the_file_does_not_cap_counts(tmp_path):
    backend = byte_level()._reference
    backend.enable_truncation(8)
    backend.enable_padding(length=16)
    tokenizer = load(save(backend, tmp_path))
    assert (tokenizer.count("x"), tokenizer.count("x" * 100)) == (1, 100)


def test_tokenizers_that_cannot_be_loaded(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no tokenizer.json; pass a model folder"):
        load(str(tmp_path / "empty"))
    for missing in ("./nowhere", "~/golongrl-nowhere", str(tmp_path / "x"), "a/b/c"):
        with pytest.raises(DataError, match="no such tokenizer"):
            load(missing)
    for number, data in enumerate((b"", b"{half", b"[]", b'{"a": 1}', b"\xff\xfe")):
        file = tmp_path / f"{number}.json"
        file.write_bytes(data)
        with pytest.raises(DataError, match=r"is not a tokenizer.json; copy the model folder again"):
            load(str(file))
    with pytest.raises(UsageError, match=r"cannot fetch the tokenizer of 'not a model' from the hub"):
        load("not a model")


# --- truncation ---


def test_truncation_by_hand():
    # Five marker bytes and five of the document: three from its head, two from its tail.
    assert truncate_middle(BYTES, "0123456789abcdef", 10) == ("012" + MARKER + "ef", 11)
    assert truncate_middle(BYTES, "0123456789", 10) == ("0123456789", 0)
    # The third byte of the head and the second of the tail hold a part of a character, which is left out.
    assert truncate_middle(BYTES, "01中23456789文a", 10) == ("01" + MARKER + "a", 12)


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_a_limit_without_room_is_refused(limit):
    with pytest.raises(UsageError, match=f"a limit of {limit} tokens leaves no room for the document"):
        truncate_middle(BYTES, "0123456789", limit)


@pytest.mark.parametrize("tokenizer", [APPROX, BYTES], ids=["approx", "bytes"])
@settings(deadline=None)
@given(text=st.text(max_size=300), limit=st.integers(6, 200))
def test_truncation_never_exceeds_the_limit_and_keeps_head_and_tail(tokenizer, text, limit):
    cut, gone = truncate_middle(tokenizer, text, limit)
    assert tokenizer.count(cut) <= limit
    if tokenizer.count(text) <= limit:
        assert (cut, gone) == (text, 0)
        return
    assert 0 < gone < tokenizer.count(text)
    # The document may hold the marker itself, so every place where it stands is tried.
    places = [i for i in range(len(cut)) if cut.startswith(MARKER, i)]
    assert any(text.startswith(cut[:i]) and text.endswith(cut[i + len(MARKER) :]) for i in places)


@settings(deadline=None, max_examples=30)
@given(
    words=st.lists(st.sampled_from(["aa", "aaa", "b", " ", "中"]), min_size=50, max_size=200),
    limit=st.integers(8, 40),
)
def test_truncation_measures_the_seam_when_tokens_merge(words, limit):
    import tokenizers

    backend = tokenizers.Tokenizer(
        tokenizers.models.BPE(
            vocab={**byte_level()._reference.get_vocab(), "aa": 256, "aaa": 257}, merges=[("a", "a"), ("aa", "a")]
        )
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = FastTokenizer("merging", backend)
    cut, _ = truncate_middle(tokenizer, "".join(words), limit)
    assert tokenizer.count(cut) <= limit


def test_a_long_document_is_cut_near_its_limit():
    text = "".join(chr(0x4E00 + i % 5000) for i in range(100_000))
    cut, gone = truncate_middle(BYTES, text, 131_072)
    assert 131_072 - 8 <= BYTES.count(cut) <= 131_072
    assert gone == 300_000 - (131_072 - 5)
    assert json.dumps(cut).count("fffd") == 0


def test_a_label_holds_no_path_of_this_machine(tmp_path, monkeypatch):
    model = tmp_path / "SmolLM2"
    model.mkdir()
    (model / "tokenizer.json").write_text("{}")
    monkeypatch.chdir(model)
    assert [label(str(name)) for name in (model, model / "tokenizer.json", ".", "../SmolLM2")] == ["SmolLM2"] * 4
    (tmp_path / "runs" / "tmn" / "model").mkdir(parents=True)
    assert label(str(tmp_path / "runs" / "tmn" / "model")) == "tmn"
    assert label("Qwen/Qwen3-4B") == "Qwen/Qwen3-4B"
    assert label("approx") == "approx"
