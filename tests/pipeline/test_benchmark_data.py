"""Where benchmark rows come from: a hub over HTTP, files of every form, and what is said about broken ones."""

import json

import benchmark_rows
import hub_server
import pytest

from golongrl.core import row_files, tokens
from golongrl.core.errors import DataError, ServerError, UsageError
from golongrl.pipeline.evaluation import benchmarks, hub_data
from golongrl.pipeline.evaluation.benchmarks.base import LoadOptions

APPROX = tokens.load("approx")
HEAD = "ab" * 20


def options(data=None, **changes):
    defaults = {
        "data": None if data is None else str(data),
        "tokenizer": APPROX,
        "count_prompt": lambda messages: sum(APPROX.count(m["content"]) + 8 for m in messages),
        "max_length": [],
        "limit": None,
        "needles": [2],
        "answer_tokens": 64,
        "seed": 0,
    }
    return LoadOptions(**{**defaults, **changes})


def load(name, data=None, **changes):
    return list(benchmarks.get(name).load(options(data, **changes)))


def write(folder, name):
    path = folder / f"{name}.jsonl"
    path.write_bytes(benchmark_rows.jsonl(benchmark_rows.ROWS[name]))
    return path


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with hub_server.start(monkeypatch, tmp_path / "cache", benchmark_rows.hub_files(), HEAD) as server:
        yield server


FROM_HUB = [name for name in benchmarks.GROUPS["all"] if benchmarks.get(name).hub]


@pytest.mark.parametrize("name", FROM_HUB)
def test_rows_of_the_hub_and_of_a_file_are_the_same_items(hub, tmp_path, name):
    local = load(name, write(tmp_path, name))
    assert local
    if name.startswith("mrcr"):
        # Their ids are places in the data set, which here holds rows of all three lengths.
        local = [(item.messages, item.gold, item.buckets) for item in local]
        found = [(item.messages, item.gold, item.buckets) for item in load(name)]
        assert found == local
        return
    found = load(name)
    assert sorted(found, key=lambda item: item.id) == sorted(local, key=lambda item: item.id)


def test_what_is_pinned_is_fetched_at_that_commit_and_the_rest_at_the_newest(hub):
    for name in FROM_HUB:
        load(name, limit=1)
    pinned = {name: benchmarks.get(name).hub.revision for name in FROM_HUB}
    assert [name for name, revision in pinned.items() if revision is None] == [
        "docmath",
        "corpusqa-128k",
        "corpusqa-1m",
    ]
    assert all(revision is None or len(revision) == 40 for revision in pinned.values())
    for name in FROM_HUB:
        source = benchmarks.get(name).hub
        commits = {e.split("@")[1].split("/")[0] for e in hub.fetched if e.startswith(f"{source.repo}@")}
        assert commits == {source.revision or HEAD}, name
    # Neither other splits nor the page about the data set.
    assert not [entry for entry in hub.fetched if "README" in entry or "validation" in entry or "main.csv" in entry]


def test_a_filled_cache_serves_pinned_files_without_a_network(hub, monkeypatch):
    from huggingface_hub import constants

    first = load("longmemeval")
    hub.fetched.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert load("longmemeval") == first
    assert not hub.fetched


def test_the_origin_names_the_commit(hub):
    source = benchmarks.get("corpusqa-128k").hub
    assert hub_data.find_files("corpusqa-128k", None, source).origin == f"Tongyi-Zhiwen/CorpusQA@{HEAD}"


@pytest.mark.parametrize(
    ("name", "refusal", "error", "words"),
    [
        (
            "gpqa-diamond",
            (403, "GatedRepo"),
            DataError,
            "gpqa-diamond: Idavidrein/gpqa.*gated.*hf auth login.*--data",
        ),
        ("gpqa-diamond", (404, "RepoNotFound"), DataError, "no such data set.*--data"),
        ("gpqa-diamond", (404, "RevisionNotFound"), DataError, "no such revision.*--data"),
        ("corpusqa-1m", (400, None), ServerError, "Tongyi-Zhiwen/CorpusQA.*refused.*400.*again"),
    ],
)
def test_what_the_hub_does_not_give(hub, name, refusal, error, words):
    hub.refused[benchmarks.get(name).hub.repo] = refusal
    with pytest.raises(error, match=words):
        load(name)


def test_a_file_that_was_renamed_on_the_hub(hub):
    hub_server.put(hub, "Tongyi-Zhiwen/CorpusQA", {"other.jsonl": b""}, HEAD)
    with pytest.raises(DataError, match=r"holds no 128k_4domains.jsonl, only other.jsonl.*--data"):
        load("corpusqa-128k")


def test_an_unreachable_hub_says_what_else_to_do(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ServerError, match=r"cannot be reached.*HF_HUB_OFFLINE.*--data"):
        load("longmemeval")


@pytest.mark.parametrize("name", ["frames", "bfcl-memory", "mrcr"])
def test_what_the_hub_lacks_needs_data(name):
    with pytest.raises(UsageError, match="--data"):
        load(name)


ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": 'with "quotes",\nand é'}, {"a": 3, "b": "z" * 5000}]


@pytest.mark.parametrize("chunk", [1, 7, 1 << 22])
def test_json_is_streamed_in_chunks_of_any_size(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(row_files, "_CHUNK", chunk)
    for name, content in {
        "list": json.dumps(ROWS, ensure_ascii=False),
        "indented": json.dumps(ROWS, indent=4),
        "lines": "\n".join(json.dumps(row) for row in ROWS),
        "bom": "\ufeff" + json.dumps(ROWS),
    }.items():
        path = tmp_path / f"{name}.json"
        path.write_text(content, encoding="utf-8")
        assert [row for _, row in row_files.read_rows(path)] == ROWS, name
    (tmp_path / "one.json").write_text(json.dumps(ROWS[0]), encoding="utf-8")
    assert list(row_files.read_rows(tmp_path / "one.json")) == [("1", ROWS[0])]


@pytest.mark.parametrize("text", ['[{"a": 1},', '[{"a": 1}\n', "["])
def test_a_list_that_does_not_end_is_cut_off(tmp_path, text):
    (tmp_path / "rows.json").write_text(text)
    with pytest.raises(DataError, match="its list does not end"):
        list(row_files.read_rows(tmp_path / "rows.json"))


def test_tables_and_archives(tmp_path):
    (tmp_path / "rows.csv").write_bytes(benchmark_rows.table(ROWS))
    (tmp_path / "rows.tsv").write_text("a\tb\n1\tx\n", encoding="utf-8")
    (tmp_path / "rows.zip").write_bytes(
        benchmark_rows.archive(
            {"d/one.jsonl": benchmark_rows.jsonl(ROWS), "d/two.csv": b"a,b\n9,y\n", "x.txt": b"no"}
        )
    )
    texts = [{"a": str(row["a"]), "b": row["b"]} for row in ROWS]
    assert [row for _, row in row_files.read_rows(tmp_path / "rows.csv")] == texts
    assert list(row_files.read_rows(tmp_path / "rows.tsv")) == [("1", {"a": "1", "b": "x"})]
    found = list(row_files.read_rows(tmp_path / "rows.zip"))
    assert [number for number, _ in found] == [*(f"{n} of d/one.jsonl" for n in (1, 2, 3)), "1 of d/two.csv"]
    assert len(list(row_files.read_rows(tmp_path / "rows.zip", ("d/t*",)))) == 1


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a":\n', "a.jsonl line 2 is not JSON"),
        ("a.json", b'[{"a": 1}, {"a": ]', "a.json row 2 is not JSON"),
        ("a.json", b'[{"a": 1}, {"a": 2', "a.json row 2 is not JSON"),
        ("a.json", b'[{"a": 1}, 7]', "a.json row 2 is a JSON int"),
        ("a.json", b'[{"a": "\xff"}]', "a.json is not UTF-8"),
        ("a.csv", b"a,b\n1,2\n3\n", "a.csv row 2 has more or fewer fields than the 2"),
        ("a.parquet", b"PAR1 no", "a.parquet is not a readable parquet file"),
        ("a.zip", b"PK no", "a.zip is a damaged archive"),
        ("a.zip", benchmark_rows.archive({"x.txt": b""}), r"a.zip holds no \* with rows"),
        ("a.txt", b"", "not .txt"),
    ],
)
def test_broken_files_are_named(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        list(row_files.read_rows(tmp_path / name))


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(row_files, "LARGEST_ARCHIVE", 1000)
    (tmp_path / "a.zip").write_bytes(benchmark_rows.archive({"a.jsonl": b" " * 2000}))
    with pytest.raises(DataError, match="unpacks to more"):
        list(row_files.read_rows(tmp_path / "a.zip"))


NEEDED = {
    "longbench-v2": ("_id", "question", "choice_C", "answer", "context"),
    "frames": ("Prompt", "Answer", "wiki_items"),
    "longbench-qa": ("input", "context", "answers", "dataset", "_id"),
    "docmath": ("question_id", "question", "paragraphs", "ground_truth"),
    "corpusqa-128k": ("id", "prompt", "question", "answer"),
    "mmlu-pro": ("question_id", "question", "options", "answer"),
    "aime25": ("problem", "answer"),
    "gpqa-diamond": ("Question", "Correct Answer", "Incorrect Answer 3"),
    "longmemeval": (
        "question_id",
        "question_type",
        "question",
        "answer",
        "question_date",
        "haystack_dates",
        "haystack_sessions",
    ),
    "mrcr-128k": ("prompt", "answer", "random_string_to_prepend"),
    "bfcl-memory": ("id", "question", "scenario"),
}


@pytest.mark.parametrize(("name", "column"), [(name, one) for name, columns in NEEDED.items() for one in columns])
@pytest.mark.parametrize("broken", ["missing", None, {"a": 1}])
def test_a_bad_row_is_named_with_file_row_and_column(tmp_path, name, column, broken):
    good = benchmark_rows.ROWS[name]
    bad = dict(good[0])
    if broken == "missing":
        del bad[column]
    else:
        bad[column] = broken
    path = tmp_path / "rows.jsonl"
    if name == "bfcl-memory":
        path = tmp_path / "memory_rows.jsonl"
        if column == "question" and broken == "missing":
            pytest.skip("a row with neither question nor answer belongs to another file of the package")
        path.write_bytes(benchmark_rows.jsonl([bad, *good[1:]]))
    else:
        path.write_bytes(benchmark_rows.jsonl([good[-1], bad]))
    with pytest.raises(DataError) as caught:
        load(name, path)
    number = 1 if name == "bfcl-memory" else 2
    assert f"{path} row {number}" in str(caught.value)
    assert column in str(caught.value)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("longbench-v2", {"answer": "E"}, "column answer: 'E' is none of the letters ABCD"),
        ("mmlu-pro", {"options": ["x"]}, "column options: has 1 texts"),
        ("mmlu-pro", {"options": list("abcdefghijk")}, "column options: has 11 texts"),
        ("mmlu-pro", {"answer_index": 3}, "column answer_index: 3 is not the place of answer J"),
        ("aime25", {"answer": "1000"}, "column answer: '1000' is no whole number from 0 to 999"),
        ("aime25", {"answer": "1/2"}, "no whole number"),
        ("docmath", {"ground_truth": "about five"}, "column ground_truth: 'about five' is neither a number"),
        ("frames", {"wiki_items": [{"title": "x"}]}, "column wiki_items: each page needs a title and a text"),
        ("longmemeval", {"question_type": "odd"}, "column question_type: 'odd' is none of single-session-user"),
        ("longmemeval", {"haystack_dates": ["one"]}, "column haystack_dates: 1 dates for 2 chats"),
        ("longmemeval", {"haystack_sessions": [[{"role": "user"}], []]}, "chat 1 has a turn without role"),
    ],
)
def test_impossible_values_are_named(tmp_path, name, change, words):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(benchmark_rows.jsonl([{**benchmark_rows.ROWS[name][0], **change}]))
    with pytest.raises(DataError, match=words):
        load(name, path)


def test_ids_are_unique_and_limits_hold(tmp_path):
    rows = benchmark_rows.LONGBENCH_V2
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([rows[0], rows[0]]), encoding="utf-8")
    with pytest.raises(DataError, match="row 2: the id 'v2-0' occurs twice"):
        load("longbench-v2", path)
    long_row = {**rows[0], "_id": "long", "context": "x" * 8000}
    path.write_text(json.dumps([long_row, *rows]), encoding="utf-8")
    assert [item.id for item in load("longbench-v2", path, max_length=[1000], limit=1)] == ["v2-0"]
    with pytest.raises(DataError, match="no row of at most 10 tokens"):
        load("longbench-v2", path, max_length=[10])


def test_names_groups_and_the_sixteen():
    with pytest.raises(UsageError) as caught:
        benchmarks.get("longbench")
    assert "did you mean" in str(caught.value)
    assert all(name in str(caught.value) for name in (*benchmarks.BENCHMARKS, *benchmarks.GROUPS))
    assert len(benchmarks.GROUPS["all"]) == len(set(benchmarks.GROUPS["all"])) == 15
    assert set(benchmarks.BENCHMARKS) == {*benchmarks.GROUPS["all"], "mrcr", "mrcr-mini"}
    assert benchmarks.expand(["aime25", "general"]) == ["aime25", "mmlu-pro", "aime24", "gpqa-diamond"]
    with pytest.raises(UsageError, match="nope"):
        benchmarks.expand(["general", "nope"])
    for name, bench in benchmarks.BENCHMARKS.items():
        assert bench.name == name
        assert all((bench.dataset, bench.split, bench.fields, bench.licence, bench.metric))
