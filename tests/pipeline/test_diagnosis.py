import json
import tomllib

import pytest
from dataset_records import make
from hypothesis import given
from hypothesis import strategies as st

from golongrl.core.config import build, command_table
from golongrl.core.errors import DataError, UsageError
from golongrl.core.records import write_parquet
from golongrl.core.store import content_key
from golongrl.pipeline.dataset.diagnosis import diagnose, write_diagnosis
from golongrl.pipeline.dataset.diagnosis.clusters import PRIOR, cells, segments
from golongrl.pipeline.dataset.diagnosis.quotas import CAP, FLOOR, quotas
from golongrl.pipeline.dataset.diagnosis.reading import Row, read_run
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.pipeline.evaluation import runner
from golongrl.pipeline.evaluation.config import EvalConfig
from golongrl.rewards.audit import audit


def row(score, capability="T1", length="4k", depth="first third", form="a", language="en", reason="ok", cluster="c"):
    return Row(capability, length, depth, form, language, score, reason, cluster)


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))


def evaluation(folder, bench, samples):
    write_lines(folder / "samples.jsonl", samples)
    (folder / "results.json").write_text(json.dumps({"bench": bench}))
    return folder


def sample(identity, score, **more):
    return {"id": identity, "score": score, "reason": "ok" if score is not None else "timeout", "details": {}, **more}


def test_an_evaluation_is_read_with_what_its_samples_say(tmp_path):
    run = evaluation(
        tmp_path / "run",
        "mrcr",
        [sample("a", 0.25, n_input_tokens=5000, needles="2", cluster="x"), sample("b", None, n_input_tokens=900)],
    )
    found = read_run(run)
    assert found.used == ["mrcr"]
    assert [(r.capability, r.length, r.score, r.reason, r.cluster) for r in found.rows] == [
        ("T1", "8k", 0.25, "ok", "x"),
        ("T1", "1k", None, "timeout", "b"),
    ]


def test_ids_are_looked_up_in_the_records(tmp_path):
    first = make("T4", "How many?", "3", docs=("d1",), length_bin="32k", evidence_depth=0.9, form="counting")
    second = make("T3", "Which?", ["x"], docs=("d1", "d2"), language="zh", index=1)
    write_parquet(tmp_path / "train.parquet", [first, second])
    write_lines(tmp_path / "scores.jsonl", [sample(0, 1.0), sample("1", 0.5), sample("9", 0.0)])
    found = read_run(tmp_path / "scores.jsonl", data=[tmp_path / "train.parquet"])
    assert found.rows == [
        Row("T4", "32k", "last third", "counting", "en", 1.0, "ok", "d1"),
        Row("T3", "1k", "middle third", "a_form", "zh", 0.5, "ok", "1"),
    ]
    assert found.left_out == {"its id is not among the records given": 1}


def test_a_run_of_the_evaluation_itself_is_read(tmp_path):
    own = {"answer": "abcRain", "random_string_to_prepend": "abc"}
    rows = [{"id": 1, "response": "abcRain", **own}, {"id": 2, "response": "Rain", **own}]
    write_lines(tmp_path / "responses.jsonl", rows)
    asked = {"bench": ["mrcr"], "responses": str(tmp_path / "responses.jsonl")}
    runner.evaluate(EvalConfig(**asked, out=str(tmp_path / "run"), tokenizer="approx"))
    found = read_run(tmp_path / "run")
    assert found.used == ["mrcr"]
    assert [(r.capability, r.score) for r in found.rows] == [("T1", 1.0), ("T1", 0.0)]


def test_an_audit_of_responses_is_read(tmp_path):
    write_parquet(tmp_path / "train.parquet", [make("T1", "Who?", "Ann"), make("T1", "Who else?", "Bob", index=1)])
    write_lines(tmp_path / "responses.jsonl", [{"id": 0, "response": "Ann"}, {"id": 1, "response": "Cid"}])
    audit(
        tmp_path / "train.parquet",
        responses=tmp_path / "responses.jsonl",
        probes=False,
        out=tmp_path / "audit-of-a-model",
    )
    found = read_run(tmp_path / "audit-of-a-model", data=[tmp_path / "train.parquet"])
    assert found.used == ["audit-of-a-model"]
    assert [(r.capability, r.form, r.score) for r in found.rows] == [("T1", "a_form", 1.0), ("T1", "a_form", 0.0)]


def test_rows_without_an_id_are_apart_but_cannot_be_looked_up(tmp_path):
    write_lines(tmp_path / "s.jsonl", [{"score": 1.0, "metric": "em"}, {"score": 0.0, "metric": "em"}])
    assert len({r.cluster for r in read_run(tmp_path / "s.jsonl").rows}) == 2
    write_parquet(tmp_path / "train.parquet", [make("T1", "Who?", "Ann")])
    with pytest.raises(DataError, match="row 1: no field id"):
        read_run(tmp_path / "s.jsonl", data=[tmp_path / "train.parquet"])


def test_two_files_with_the_same_ids_are_refused(tmp_path):
    write_parquet(tmp_path / "a.parquet", [make("T1", "Who?", "Ann")])
    write_parquet(tmp_path / "b.parquet", [make("T1", "Who else?", "Bob")])
    write_lines(tmp_path / "scores.jsonl", [sample(0, 1.0)])
    with pytest.raises(DataError, match="the id 0 occurs twice"):
        read_run(tmp_path / "scores.jsonl", data=[tmp_path / "a.parquet", tmp_path / "b.parquet"])


def test_a_training_run_counts_its_last_quarter_and_repeated_steps_once(tmp_path):
    def rollout(step, place, reward, reason="ok"):
        return {
            "key": f"{step}/{place}", "step": step, "prompt": "p", "index": place, "task": "f1",
            "reward": reward, "reason": reason,
        }  # fmt: skip

    rows = [rollout(step, 0, 0.0) for step in range(1, 8)]
    rows += [rollout(8, 0, 0.1), rollout(8, 1, None, "error"), rollout(8, 0, 0.9)]
    write_lines(tmp_path / "run" / "rollouts.jsonl", rows)
    found = read_run(tmp_path / "run")
    assert [(r.capability, r.score, r.cluster) for r in found.rows] == [
        ("T3", 0.0, "0"),
        ("T3", 0.9, "0"),
        ("T3", None, "1"),
    ]
    assert found.notes == ["rollouts of steps 7 to 8 of 8, the last quarter of the run"]


def test_a_held_out_benchmark_is_refused_by_name(tmp_path):
    evaluation(tmp_path / "runs" / "one", "mrcr-mini", [sample("a", 1.0)])
    evaluation(tmp_path / "runs" / "two", "mrcr", [sample("a", 1.0)])
    assert read_run(tmp_path / "runs").used == ["mrcr-mini", "mrcr"]
    with pytest.raises(UsageError, match="scores of MRCR, which is held out"):
        read_run(tmp_path / "runs", held_out=["MRCR"])
    write_lines(tmp_path / "mixed.jsonl", [sample("a", 1.0, metric="em", benchmark="some_bench")])
    with pytest.raises(UsageError, match="Some-Bench, which is held out"):
        read_run(tmp_path / "mixed.jsonl", held_out=["Some-Bench"])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": 1, "metric": "em"}], "no field score"),
        ([{"id": 1, "metric": "em", "score": 3}], "not a number from 0 to 1"),
        ([{"id": 1, "score": 1.0}], "of no known capability"),
        ([{"id": 1, "metric": "em", "score": None}], "no row has a score"),
    ],
)
def test_rows_that_say_nothing_are_named(tmp_path, rows, message):
    write_lines(tmp_path / "s.jsonl", rows)
    with pytest.raises(DataError, match=message):
        read_run(tmp_path / "s.jsonl")


def test_cells_shrink_towards_the_whole():
    rows = [row(1.0, cluster=f"a{n}") for n in range(10)] + [row(0.0, "T4", cluster=f"b{n}") for n in range(30)]
    rows += [row(None, "T4", reason="timeout")]
    found = {cell["capability"]: cell for cell in cells(rows, ["T1", "T3", "T4"], seed=0)}
    assert list(found) == ["T1", "T4"]
    # Means 1 and 0, so the whole is believed to be 0.5, with the weight of 10 clusters.
    assert PRIOR == 10
    assert found["T1"]["shrunk"] == (10 * 1 + 10 * 0.5) / 20
    assert found["T4"]["shrunk"] == (30 * 0 + 10 * 0.5) / 40
    assert (found["T4"]["n"], found["T4"]["failed"], found["T4"]["reasons"]) == (30, 1.0, {"wrong answer": 30})


def test_answers_to_one_record_count_as_one_cluster():
    rows = [row(0.0, cluster="same") for _ in range(100)] + [row(1.0, "T2", cluster=f"{n}") for n in range(100)]
    found = {cell["capability"]: cell for cell in cells(rows, ["T1", "T2"], seed=0)}
    assert found["T1"]["clusters"] == 1
    assert found["T1"]["low"] is None
    assert found["T1"]["shrunk"] == round((0 + 10 * 0.5) / 11, 4)


def test_parts_of_a_capability_are_told_apart_where_they_differ():
    rows = [row(1.0, length="4k", cluster=f"a{n}") for n in range(20)]
    rows += [row(0.2, length="16k", reason="truncated", cluster=f"b{n}") for n in range(20)]
    found = cells(rows, ["T1"], seed=0)
    assert [(cell["axis"], cell["value"], cell["mean"]) for cell in found] == [
        ("capability", "T1", 0.6), ("length", "4k", 1.0), ("length", "16k", 0.2),
    ]  # fmt: skip
    assert found[2]["reasons"] == {"truncated": 20}
    assert found[2]["shrunk"] == round((20 * 0.2 + 10 * 0.6) / 30, 4)


def planted():
    """T4 fails from 32k on, everything else is answered."""
    rows = []
    for n in range(400):
        capability, length = ("T1", "T4")[n % 2], ("4k", "16k", "32k", "64k")[n // 2 % 4]
        bad = capability == "T4" and length in ("32k", "64k")
        rows.append(
            row(0.0 if bad else 1.0, capability, length, reason="truncated" if bad else "ok", cluster=f"c{n}")
        )
    return rows


def test_segments_find_the_planted_weakness_and_say_it_in_words():
    found = segments(planted(), seed=0)
    assert found[0]["where"] == "capability T4; length 32k or 64k"
    assert (found[0]["n"], found[0]["mean"], found[0]["failed"], found[0]["failures"]) == (100, 0.0, 1.0, 1.0)
    assert found[0]["reasons"] == {"truncated": 100}
    assert all(segment["mean"] == 1.0 for segment in found[1:])
    assert sum(segment["n"] for segment in found) == 400


def test_a_segment_is_measured_on_records_that_did_not_choose_it():
    def chooses(cluster):
        return int(content_key("half", 0, cluster)[0], 16) < 8

    rows = []
    for n in range(400):
        capability, cluster = ("T1", "T4")[n % 2], f"c{n}"
        rows.append(row(0.0 if capability == "T4" and chooses(cluster) else 1.0, capability, cluster=cluster))
    assert {segment["where"]: segment["mean"] for segment in segments(rows, seed=0)} == {
        "capability T1": 1.0,
        "capability T4": 1.0,
    }


def test_answers_that_do_not_differ_are_one_segment():
    rows = [
        row(n % 2 * 1.0, ("T1", "T4")[n // 2 % 2], ("4k", "16k")[n // 4 % 2], cluster=f"c{n}") for n in range(2000)
    ]
    (found,) = segments(rows, seed=0)
    assert (found["where"], found["n"], found["failed"]) == ("everything", 2000, 0.5)
    assert found["low"] < 0.5 < found["high"]


def test_segments_do_not_depend_on_the_order_of_the_rows():
    assert segments(planted(), seed=3) == segments(planted()[::-1], seed=3)


def test_few_answers_make_no_segments():
    assert segments(planted()[:12], seed=0) == []


def test_quotas_follow_the_headroom():
    # 0.2 + 0.3 + 0.5 = 1, so the shares are the headroom itself.
    assert quotas({"T1": 0.2, "T2": 0.3, "T3": 0.5}, 100) == {"T1": 20, "T2": 30, "T3": 50}
    # Exact shares 3.5, 3.5, 3: the first of equals gets what is left over.
    assert quotas({"T1": 0.35, "T2": 0.35, "T3": 0.3}, 10) == {"T1": 4, "T2": 3, "T3": 3}
    # 0.25 of an even share of 50 is 12.5; the larger headroom gets the odd record.
    assert quotas({"T1": 0.0, "T2": 1.0}, 100) == {"T1": 12, "T2": 88}
    assert quotas({"T1": 0.0, "T2": 0.0}, 4) == {"T1": 2, "T2": 2}


headrooms = st.dictionaries(st.sampled_from([f"T{n}" for n in range(1, 10)]), st.floats(0, 1), min_size=1)


@given(headrooms, st.integers(0, 5000))
def test_quotas_add_up_and_keep_their_bounds(headroom, more):
    target = len(headroom) + more
    found = quotas(headroom, target)
    even = target / len(headroom)
    assert sum(found.values()) == target
    assert min(found.values()) >= max(1, int(FLOOR * even))
    assert max(found.values()) <= CAP * even + 1
    for one in headroom:
        for other in headroom:
            assert headroom[one] <= headroom[other] or found[one] >= found[other]


@given(headrooms, st.integers(0, 500), st.floats(0, 1), st.data())
def test_more_headroom_never_gives_fewer_records(headroom, more, raised, data):
    name = data.draw(st.sampled_from(sorted(headroom)))
    target = len(headroom) + more
    higher = {**headroom, name: max(headroom[name], raised)}
    assert quotas(higher, target)[name] >= quotas(headroom, target)[name]


def test_a_target_below_the_number_of_capabilities_is_refused(tmp_path):
    write_lines(tmp_path / "s.jsonl", [sample(1, 0.5, metric="em")])
    with pytest.raises(UsageError, match="too small for 2 capabilities"):
        diagnose(tmp_path / "s.jsonl", target=1, capabilities=["T1", "T2"], seed=0)


def test_a_diagnosis_is_a_configuration_of_the_next_build(tmp_path):
    rows = [sample(n, 1.0, capability="T1", length_bin="4k") for n in range(40)]
    rows += [sample(100 + n, n % 2 * 1.0, capability="T4", length_bin=("4k", "16k")[n % 2]) for n in range(40)]
    rows += [sample(500, 0.0, capability="T9"), sample(501, None, capability="T4")]
    write_lines(tmp_path / "scores.jsonl", rows)
    found = diagnose(
        tmp_path / "scores.jsonl", target=100, capabilities=["T1", "T2", "T4"], seed=0, held_out=["a-bench"]
    )
    # Means 1 and 0.5, believed 0.75: shrunk 0.95 and 0.55, and 0.75 for T2. Headroom 0.05, 0.25, 0.45 of 0.75;
    # T1 is lifted to a quarter of an even share, 8.33; the others share 91.67 as 25 to 45: 32.74 and 58.93.
    assert found.mix == {"T1": 8, "T2": 33, "T4": 59}
    bins = next(quota["bins"] for quota in found.facts["quotas"] if quota["capability"] == "T4")
    # 4k fails always, 16k never: (0 + 10 * 0.55) / 30 and (20 + 5.5) / 30, so headroom 49 to 9 of 58.
    assert bins == {"4k": 50, "16k": 9}
    assert found.facts["used"] == ["scores"]
    assert found.facts["held_out"] == ["a-bench"]
    assert found.facts["unscored"] == {"timeout": 1}
    assert found.facts["left_out"]["of a capability that is not asked for"] == 1
    assert "no scores of T2" in found.facts["notes"][0]
    write_diagnosis(tmp_path / "out", found)
    assert tomllib.loads((tmp_path / "out" / "quotas.toml").read_text()) == {"build-dataset": {"mix": found.mix}}
    table, where = command_table("build-dataset", tmp_path / "out" / "quotas.toml")
    assert build(BuildConfig, table, flags={"sources": ["docs"]}, where=where).wanted == found.mix
    assert json.loads((tmp_path / "out" / "diagnosis.json").read_text()) == found.facts
