import json
import os

import chat_server
import pytest

from golongrl.core import chat
from golongrl.core.byte_model import build_byte_model
from golongrl.core.config import build
from golongrl.core.errors import ConfigError, DataError, RunConflictError, ServerError, UsageError
from golongrl.pipeline.evaluation import aggregates, grading, plan, runner
from golongrl.pipeline.evaluation.benchmarks import passages
from golongrl.pipeline.evaluation.config import EvalConfig
from golongrl.pipeline.evaluation.responses import read_responses


def config(**values):
    return build(EvalConfig, {"bench": "mrcr-mini", "max_length": "1k", "limit": 6, **values})


def remote(server, out, **values):
    return config(**{"model": "echo", "base_url": server.base_url, "out": str(out), "retries": 1, **values})


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_run_writes_everything_and_a_second_one_asks_nothing(tmp_path):
    with chat_server.start() as server:
        card = runner.evaluate(remote(server, tmp_path / "run"))
        first = (tmp_path / "run" / "samples.jsonl").read_bytes()
        again = runner.evaluate(remote(server, tmp_path / "run"))
        assert server.stats()["requests"] == 6
    assert card.complete
    assert (tmp_path / "run" / "samples.jsonl").read_bytes() == first
    assert again.cards[0].results == card.cards[0].results
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"config.json", "manifest.json", "generations.jsonl", "samples.jsonl", "results.json"} <= names
    samples = read(tmp_path / "run" / "samples.jsonl")
    assert [s["id"] for s in samples] == ["1k-2n-0", "1k-4n-0", "1k-2n-1", "1k-4n-1", "1k-2n-2", "1k-4n-2"]
    assert all(0 < s["score"] <= 1 and s["reason"] == "ok" and s["length"] == "1k" for s in samples)
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["score"] == pytest.approx(sum(s["score"] for s in samples) / 6, abs=1e-6)
    assert results["low"] <= results["score"] <= results["high"]
    assert results["tokens"]["completion"] == 42
    assert [b["value"] for b in results["buckets"]["needles"]] == ["2", "4"]
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["finished"]


def test_errors_are_owed_counted_and_asked_again(tmp_path):
    with chat_server.start("--fail-first", 2, "--status", 500) as server:
        first = runner.evaluate(remote(server, tmp_path / "run", retries=0))
        assert not first.complete
        results = first.cards[0].results
        assert (results["n_incomplete"], results["n_scored"], results["score"]) == (6, 0, None)
        assert results["reasons"] == {"error": 6}
        assert "again" in first.remarks()[0]
        samples = read(tmp_path / "run" / "samples.jsonl")
        assert {s["score"] for s in samples} == {None}
        assert samples[0]["details"]["kind"] == "server"
        assert json.loads((tmp_path / "run" / "manifest.json").read_text())["finished"] is None
        runner.evaluate(remote(server, tmp_path / "run", retries=0))
        assert runner.evaluate(remote(server, tmp_path / "run", retries=0)).complete
    with chat_server.start() as server:
        runner.evaluate(remote(server, tmp_path / "undisturbed", retries=0))
    assert (tmp_path / "run" / "samples.jsonl").read_bytes() == (
        tmp_path / "undisturbed" / "samples.jsonl"
    ).read_bytes()


def test_a_server_that_dies_keeps_what_was_finished(tmp_path):
    with chat_server.start("--die-after", 3) as server, pytest.raises(ServerError, match="finished work is kept"):
        runner.evaluate(remote(server, tmp_path / "run", concurrency=1))
    assert len(read(tmp_path / "run" / "generations.jsonl")) == 3
    with chat_server.start() as server:
        assert runner.evaluate(remote(server, tmp_path / "run", concurrency=1)).complete
        assert server.stats()["requests"] == 3


def test_an_unreachable_endpoint_is_one_clear_error(tmp_path):
    unreachable = config(model="echo", base_url="http://127.0.0.1:9/v1", out=str(tmp_path / "run"))
    with pytest.raises(ServerError, match="--base-url"):
        runner.evaluate(unreachable)
    assert not (tmp_path / "run").exists()


def test_overlong_items_are_counted_not_dropped(tmp_path):
    with chat_server.start("--model-len", 1500) as server:
        card = runner.evaluate(remote(server, tmp_path / "run", max_length="1k,2k", max_output=100))
        assert server.stats()["requests"] == 4
    results = card.cards[0].results
    assert card.complete
    assert (results["n"], results["n_overlong"], results["n_scored"]) == (6, 2, 4)
    assert results["settings"]["max_input"] == 1400
    samples = read(tmp_path / "run" / "samples.jsonl")
    long = [s for s in samples if s["status"] == "overlong_input"]
    assert [(s["score"], s["reason"]) for s in long] == [(None, "truncated")] * 2
    assert results["score_unscored_as_zero"] == pytest.approx(results["score"] * 4 / 6, abs=1e-6)
    assert "2 of 6 samples do not fit" in card.remarks()[0]


def test_a_prompt_that_only_the_server_finds_too_long_is_overlong_too(tmp_path):
    with chat_server.start("--max-chars", 5000) as server:
        card = runner.evaluate(remote(server, tmp_path / "run", max_length="1k,2k"))
    assert card.complete
    assert card.cards[0].results["n_overlong"] == 2


def test_resuming_keeps_the_limits_of_the_first_run(tmp_path):
    with chat_server.start("--model-len", 4000) as server:
        runner.evaluate(remote(server, tmp_path / "run"))
    with chat_server.start("--model-len", 3000) as server:
        again = runner.evaluate(remote(server, tmp_path / "run"))
        assert server.stats()["requests"] == 0
    assert again.cards[0].results["settings"]["max_model_len"] == 4000


def test_rescore_needs_no_server(tmp_path):
    with chat_server.start() as server:
        card = runner.evaluate(remote(server, tmp_path / "run"))
    samples = tmp_path / "run" / "samples.jsonl"
    before = samples.read_bytes()
    samples.unlink()
    again = runner.evaluate(
        config(model="echo", base_url="http://127.0.0.1:9/v1", out=str(tmp_path / "run"), rescore=True)
    )
    assert samples.read_bytes() == before
    assert again.cards[0].results == card.cards[0].results


def test_rescore_without_a_journal(tmp_path):
    with pytest.raises(UsageError, match=r"generations\.jsonl"):
        runner.evaluate(config(model="m", base_url="http://127.0.0.1:9/v1", out=str(tmp_path / "no"), rescore=True))


def test_other_settings_in_the_same_folder_are_refused(tmp_path):
    with chat_server.start() as server:
        runner.evaluate(remote(server, tmp_path / "run"))
        with pytest.raises(RunConflictError, match=r"temperature: 0\.7 -> 0\.1"):
            runner.evaluate(remote(server, tmp_path / "run", temperature=0.1))
        assert runner.evaluate(remote(server, tmp_path / "run", temperature=0.1, fresh=True)).complete
    assert (tmp_path / "run.old-1" / "results.json").exists()


def test_repeats_are_separate_samples_in_one_cluster(tmp_path):
    with chat_server.start() as server:
        card = runner.evaluate(remote(server, tmp_path / "run", repeats=3, limit=2))
        assert len(set(server.stats()["seeds"])) == 6
    results = card.cards[0].results
    assert (results["n"], results["n_items"]) == (6, 2)
    assert [s["repeat"] for s in read(tmp_path / "run" / "samples.jsonl")] == [0, 1, 2, 0, 1, 2]


def test_responses_join_items_by_id(tmp_path):
    with chat_server.start() as server:
        runner.evaluate(remote(server, tmp_path / "run"))
    items = read(tmp_path / "run" / "items.jsonl")
    rows = [{"id": item["id"], "response": item["answer"]} for item in items[:5]]
    (tmp_path / "responses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    scored = config(
        bench="mrcr",
        data=str(tmp_path / "run" / "items.jsonl"),
        responses=str(tmp_path / "responses.jsonl"),
        out=str(tmp_path / "scored"),
        limit=None,
        max_length=[],
    )
    card = runner.evaluate(scored)
    results = card.cards[0].results
    # The sixth answer is missing: it is named and stays out of the mean.
    assert (results["n"], results["n_scored"], results["score"]) == (6, 5, 1.0)
    assert results["incomplete"] == [items[5]["id"]]
    assert not card.complete
    assert "responses file" in card.remarks()[0]


def responses(tmp_path, *rows):
    path = tmp_path / "responses.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return config(bench="mrcr", responses=str(path), out=str(tmp_path / "out"), max_length=[], limit=None)


def test_responses_that_carry_the_fields_need_no_data(tmp_path):
    own = {"answer": "abcRain", "random_string_to_prepend": "abc"}
    asked = responses(tmp_path, {"id": 1, "response": "abcRain", **own}, {"id": 2, "response": "Rain", **own})
    results = runner.evaluate(asked).cards[0].results
    assert (results["n"], results["score"]) == (2, 0.5)


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([{"id": 1, "response": "x"}], UsageError, "mrcr needs --data"),
        ([{"id": 1}], DataError, "line 1, field response"),
        ([{"response": "x"}], DataError, "line 1, field id"),
        ([{"id": 1, "response": "x"}, {"id": "1", "response": "y"}], DataError, "line 2.*answered before"),
        ([{"id": 1, "response": "x", "finish_reason": 5}], DataError, "line 1, field finish_reason"),
        ([{"id": 1, "response": "x", "repeat": -1}], DataError, "line 1, field repeat"),
        ([], DataError, "holds no response"),
    ],
)
def test_bad_responses(tmp_path, rows, error, message):
    with pytest.raises(error, match=message):
        runner.evaluate(responses(tmp_path, *rows))


def test_answers_are_read_where_they_stand(tmp_path):
    file = tmp_path / "r.jsonl"
    first = '\ufeff{"id": "é", "response": "北京"}'
    lines = [first, "", '{"id": 2, "response": null}', '{"id": 2, "response": "two"}']
    file.write_text("\r\n".join(lines), encoding="utf-8")
    found = read_responses(str(file))
    assert [(key, found.get(key).text, found.get(key).where[-6:]) for key in found.places] == [
        (("é", 0), "北京", "line 1"),
        (("2", 0), "two", "line 4"),
    ]
    assert found.get(("2", 1)) is None
    # As many bytes, but of other answers.
    file.write_bytes(file.read_bytes().replace(b'"id": 2', b'"id": 3'))
    with pytest.raises(DataError, match="line 4 was changed while it was scored"):
        found.get(("2", 0))


def test_responses_from_a_pipe_are_refused_before_anything_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"pipe can be read only once.*write them to a file"):
        read_responses(str(tmp_path / "pipe"))


def test_missing_responses_file(tmp_path):
    with pytest.raises(DataError, match="no such responses file"):
        runner.evaluate(config(responses=str(tmp_path / "none.jsonl")))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "--model is missing"),
        ({"model": "m", "responses": "r"}, "leave out --model"),
        ({"model": "m", "base_url": "u", "engine": "vllm"}, "give one of them"),
        ({"model": "m", "needles": [1]}, "at least 2 needles"),
        ({"model": "m", "temprature": 1}, "did you mean 'temperature'"),
        ({"model": "m", "max_length": "1x"}, "not a length"),
        ({"model": "m", "concurrency": 0}, "at least 1"),
        ({"model": "m", "engine": "tgi"}, "engine"),
    ],
)
def test_bad_settings(values, message):
    with pytest.raises((ConfigError, UsageError), match=message):
        config(**values)


def test_unknown_benchmark_is_found_before_anything_else(tmp_path):
    with pytest.raises(UsageError, match="unknown benchmark 'nope'"):
        runner.evaluate(config(bench="mrcr-mini,nope", model="m"))


def test_a_name_without_endpoint_or_engine():
    with pytest.raises(UsageError, match="--base-url"):
        runner.evaluate(config(model="Qwen/Qwen3-4B"))


def test_two_benchmarks_share_the_endpoint_and_have_folders(tmp_path):
    with chat_server.start() as server:
        runner.evaluate(remote(server, tmp_path / "first"))
        data = str(tmp_path / "first" / "items.jsonl")
        card = runner.evaluate(remote(server, tmp_path / "both", bench="mrcr", data=data))
    assert [c.bench for c in card.cards] == ["mrcr"]


def test_one_writer_per_folder(tmp_path):
    from golongrl.core.runs import only_writer

    with chat_server.start() as server:
        runner.evaluate(remote(server, tmp_path / "run"))
        with only_writer(tmp_path / "run", "eval"), pytest.raises(RunConflictError, match="another golongrl eval"):
            runner.evaluate(remote(server, tmp_path / "run"))


def test_describe_starts_and_writes_nothing(tmp_path):
    entry = runner.describe(
        config(model="m", base_url="http://127.0.0.1:9/v1", out=str(tmp_path / "x"), dry_run=True)
    )
    assert entry[0]["requests"] == 6
    assert entry[0]["max_output"] == 192
    assert not (tmp_path / "x").exists()


def limits(known=None, short=None, **values):
    chosen = plan.choose_limits(config(model="m", **values), known, short)
    return chosen.max_model_len, chosen.max_input, chosen.max_output


def test_limits_are_the_recipes_where_the_model_allows():
    assert limits() == (182272, 131072, 51200)
    assert limits(known=1048576) == (1048576, 131072, 51200)


def test_a_benchmark_has_limits_of_its_own():
    def of(name, known=None, **values):
        from golongrl.pipeline.evaluation import benchmarks

        bench = benchmarks.get(name)
        found = plan.choose_limits(
            config(model="m", **values), known, None, max_input=bench.max_input, max_output=bench.max_output
        )
        assert found.max_input + found.max_output <= found.max_model_len
        return found.max_model_len, found.max_input, found.max_output

    assert of("mrcr-1m") == (1099776, 1048576, 51200)
    assert of("mrcr-1m", known=262144) == (262144, 210944, 51200)
    # What is known of no length is not held against the answer.
    assert of("corpusqa-1m", max_input=65536, max_output=1024) == (132096, 65536, 1024)
    assert of("frames", max_input=60) == (182272, 60, 51200)
    assert of("frames", max_input=200000) == (251200, 200000, 51200)
    assert of("mmlu-pro") == (163840, 131072, 32768)
    assert of("mmlu-pro", known=32768) == (32768, 23564, 9204)


def test_limits_always_reserve_the_output():
    # 32768 * 51200 / 182272 = 9204.
    assert limits(known=32768) == (32768, 23564, 9204)
    assert limits(known=4096, short=192) == (4096, 3904, 192)
    assert limits(known=32768, max_output=1000) == (32768, 31768, 1000)
    assert limits(known=32768, max_input=30000) == (32768, 30000, 2768)
    assert limits(known=32768, max_model_len=65536, max_input=131072, max_output=5536) == (65536, 60000, 5536)
    with pytest.raises(UsageError, match=r"answers of up to 4096 tokens fill a model of 4096.*lower --max-output"):
        limits(known=4096, max_output=4096)
    with pytest.raises(UsageError, match=r"prompts of up to 5000 tokens fill a model of 4096.*lower --max-input"):
        limits(known=4096, max_input=5000)


def model_folder(folder, template_text=None, **settings):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": 2048, "eos_token_id": 2, **settings}))
    if template_text is not None:
        (folder / "tokenizer_config.json").write_text(
            json.dumps({"chat_template": template_text, "eos_token": "</s>"})
        )
    return folder


def test_model_length_includes_yarn(tmp_path):
    assert plan.model_length(model_folder(tmp_path / "a")) == 2048
    rope = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 2048}
    assert plan.model_length(model_folder(tmp_path / "b", rope_parameters=rope)) == 8192
    assert plan.model_length(model_folder(tmp_path / "c", text_config={"max_position_embeddings": 64})) == 64


def test_fingerprint_follows_content_not_place(tmp_path):
    first, second = model_folder(tmp_path / "a"), model_folder(tmp_path / "b")
    assert plan.fingerprint(first) == plan.fingerprint(second)
    (second / "model.safetensors").write_bytes(b"weights")
    assert plan.fingerprint(first) != plan.fingerprint(second)


def test_a_served_model_is_no_folder_that_happens_to_have_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = model_folder(tmp_path / "m", "{{ bos_token }}<think>")
    here, served = (
        plan.describe_model(config(model="m")),
        plan.describe_model(config(model="m", base_url="http://x/v1")),
    )
    assert (here.folder, here.think, here.identity[:7]) == (folder, "required", "folder:")
    assert (served.folder, served.files, served.think, served.identity) == (None, None, "optional", "m")
    # A folder of anything else does not stop the run either.
    (tmp_path / "n").mkdir()
    assert plan.describe_model(config(model="n", base_url="http://x/v1")).name == "n"


def test_the_files_of_a_served_model_are_those_that_tokenizer_names(tmp_path):
    folder = build_byte_model(tmp_path / "bytes")
    (folder / "chat_template.jinja").write_text("{{ bos_token }}<think>")
    # Without another name vLLM serves a folder by its path, which is not to travel.
    for name, shown in (("org/bytes", "org/bytes"), (str(folder), "bytes")):
        found = plan.describe_model(config(model=name, base_url="http://x/v1", tokenizer=str(folder)))
        assert (found.name, found.identity, found.folder, found.files) == (shown, shown, None, folder)
        assert (found.think, found.tokenizer.count("four")) == ("required", 4)


def test_transformers_serve_is_told_to_sample(tmp_path):
    folder = model_folder(tmp_path / "a")
    extra = plan.sampling_extra(config(model=str(folder)), folder)
    assert json.loads(extra["generation_config"]) == {"do_sample": True, "eos_token_id": 2}
    assert plan.sampling_extra(config(model=str(folder), temperature=0), folder) == {}
    assert plan.sampling_extra(config(model=str(folder), engine="vllm"), folder) == {}


def test_files_that_a_benchmark_of_documents_does_not_read_are_counted_and_named(tmp_path):
    lines = [f"The keeper of lamp {n} wrote down {n * 7} ships, {n} storms and a whale." for n in range(40)]
    docs = tmp_path / "docs"
    for name in ("a.txt", "b/c.MD", *(f"b/{n}.csv" for n in range(5)), "x.pdf", ".hidden/y.csv", "b/.z"):
        (docs / name).parent.mkdir(parents=True, exist_ok=True)
        (docs / name).write_text("\n\n".join(lines[:20] if name == "a.txt" else lines[20:]))
    said = []
    runner.describe(config(model="m", base_url="http://x/v1", data=str(docs), dry_run=True), say=said.append)
    assert [line for line in said if "left out" in line] == [
        f"mrcr-mini reads .txt, .md, .rst files; 6 others in {docs} are left out: "
        "b/0.csv, b/1.csv, b/2.csv, b/3.csv, b/4.csv and 1 more"
    ]
    (docs / "only").mkdir()
    assert passages.left_out(str(docs / "a.txt")) == passages.left_out(str(docs / "only")) == []
    assert passages.left_out(None) == []


def test_responses_to_built_items_need_no_data(tmp_path):
    (tmp_path / "responses.jsonl").write_text('{"id": "1k-2n-0", "response": "nothing of it"}\n')
    results = runner.evaluate(config(responses=str(tmp_path / "responses.jsonl"), out=str(tmp_path / "run")))
    assert (results.cards[0].results["n_scored"], results.cards[0].results["counts"]["server_error"]) == (1, 5)


def test_truncated_answers_are_graded_and_counted_as_cut(tmp_path):
    own = {"answer": "abcRain", "random_string_to_prepend": "abc", "finish_reason": "length"}
    results = runner.evaluate(responses(tmp_path, {"id": 1, "response": "abcRain", **own})).cards[0].results
    assert results["reasons"] == {"truncated": 1}
    assert results["score"] == 1.0


def test_grading_in_a_pool_equals_grading_here():
    gold = {"answer": "abc" + "the rain falls on the town " * 300, "prefix": "abc"}
    jobs = [grading.Submission("mrcr", gold, "abc" + "the rain falls " * n, "optional") for n in range(1, 30)]
    assert sum(len(job.response) + len(gold["answer"]) for job in jobs) > grading.POOL_ABOVE_CHARACTERS
    assert grading.grade_all(jobs, workers=2) == [grading.grade(job) for job in jobs]


def sample(identity, score, cluster, needles="2", length="4k"):
    status = "unjudged" if score is None else "ok"
    return {
        "id": identity,
        "status": status,
        "score": score,
        "cluster": cluster,
        "needles": needles,
        "length": length,
    }


def test_aggregate_by_hand():
    samples = [sample("a", 1.0, "x"), sample("b", 0.0, "y"), sample("c", None, "y")]
    entry = aggregates.aggregate(samples, seed=0)
    assert entry == {
        "n": 3,
        "n_scored": 2,
        "n_clusters": 2,
        "counts": {
            "ok": 2,
            "no_answer": 0,
            "truncated_output": 0,
            "overlong_input": 0,
            "server_error": 0,
            "judge_error": 0,
            "unjudged": 1,
        },
        "score": 0.5,
        "low": 0.0,
        "high": 1.0,
        "interval": aggregates.BOUND,
        "score_unscored_as_zero": 0.333333,
    }
    alone = aggregates.aggregate(samples[:1], seed=0)
    assert (alone["score"], alone["low"], alone["high"]) == (1.0, None, None)


def test_buckets_are_ordered_by_size():
    lengths = ["16k", "512", ">1m", "4k", "1m"]
    samples = [sample(str(i), 1.0, "x", length=value) for i, value in enumerate(lengths)]
    tables = aggregates.by_bucket(samples, ["needles", "length"], seed=0)
    assert [entry["value"] for entry in tables["length"]] == ["512", "4k", "16k", "1m", ">1m"]
    assert "needles x length" not in tables
    samples[0]["needles"] = "4"
    pairs = aggregates.by_bucket(samples, ["needles", "length"], seed=0)["needles x length"]
    assert [entry["value"] for entry in pairs] == ["2 x 512", "2 x 4k", "2 x 1m", "2 x >1m", "4 x 16k"]


def test_stored_generations_round_trip(tmp_path):
    from golongrl.core.store import Journal

    generation = chat.Generation(key="k", text="hi", error=chat.ChatError(kind="timeout", message="late"))
    with Journal(tmp_path / "j.jsonl") as journal:
        journal.append("k", **generation.model_dump(exclude={"key"}))
    with Journal(tmp_path / "j.jsonl") as journal:
        assert chat.stored(journal, "k") == generation
