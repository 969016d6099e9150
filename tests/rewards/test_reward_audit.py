import json

import pytest

from golongrl.core.errors import DataError, UsageError
from golongrl.core.records import Score, parse_record, write_parquet
from golongrl.core.tasks import LEGACY_SOURCES
from golongrl.rewards import REWARDS, score_response
from golongrl.rewards.audit import audit
from golongrl.rewards.probes import CHANCE, PROBES, guess_rate
from golongrl.rewards.self_test import rows as self_test_rows
from golongrl.rewards.self_test import self_test

WORDS = [
    f"{first}{last}" for first in ("amber", "basin", "cedar", "delta") for last in ("fall", "gate", "ridge", "well")
]


def row(metric, index, gold, **extra):
    return {
        "data_source": "test",
        "prompt": [{"role": "user", "content": f"{' '.join(WORDS * 20)}\nQuestion {index}: answer after [Answer]."}],
        "ability": "a",
        "reward_model": {"style": "rule", "ground_truth": gold},
        "extra_info": {"index": index, "metric": metric, **extra},
    }


def good_rows():
    rows = []
    for turn in range(8):
        items = [f"{WORDS[(turn + i) % 16]} {WORDS[(turn * 3 + i) % 16]} {i}" for i in range(6)]
        table = json.dumps({"data": [[item, i] for i, item in enumerate(items)]})
        for metric, gold, extra in [
            *((metric, {"doc_ids": items}, {}) for metric in ("f1", "subem", "ndcg", "pairwise")),
            ("em", {"golden_label": " ".join(items[:2])}, {}),
            ("choice", {"golden_label": "ABCD"[turn % 4]}, {"options": ["w", "x", "y", "z"]}),
            ("iou", {"golden_label": table}, {}),
            ("math", {"golden_label": str(17 + 31 * turn)}, {}),
            ("rouge_l", {"doc_ids": ["今天天气不错，我们去公园散步，看到了许多美丽的花朵。", " ".join(items)]}, {}),
        ]:
            rows.append(row(metric, 100 + len(rows), gold, **extra))
    return rows


def write(path, rows):
    lines = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_sound_dataset_passes(tmp_path):
    seen = []
    report = audit(write(tmp_path / "d.jsonl", good_rows()), out=tmp_path / "out", progress=seen.append)
    assert report.passed, report.failures
    assert (report.rows, report.checked, report.bad_rows, report.gold_failures) == (72, 72, 0, 0)
    assert sum(seen) == 72
    assert {name: count.gold_ok for name, count in report.metrics.items()} == dict.fromkeys(REWARDS, 8)
    assert {probe.metric for probe in report.probes} == set(REWARDS)
    # 6 golds among 54 decoys: f1 = 12 / 66, subem = 6 / 60, iou = 6 / 60
    dump = {probe.metric: probe.max for probe in report.probes if probe.probe == "dump"}
    assert dump["f1"] == pytest.approx(12 / 66)
    assert dump["subem"] == dump["iou"] == pytest.approx(0.1)
    assert (tmp_path / "out" / "failures.jsonl").read_text() == ""
    assert json.loads((tmp_path / "out" / "audit.json").read_text())["passed"] is True
    html = (tmp_path / "out" / "report.html").read_text()
    assert "hedge_boxes" in html
    assert not (tmp_path / "out" / "samples.jsonl").exists()


def test_bad_rows_are_named_and_the_rest_goes_on(tmp_path):
    rows = [
        *good_rows()[:8],
        row("f1", 900, {"doc_ids": []}),
        row("f1", 901, {"doc_ids": ["see [Answer] below"]}),
        {"data_source": "test", "prompt": []},
        "{broken",
        "[1]",
        row("nonsense", 903, {"golden_label": "42"}),
    ]
    report = audit(write(tmp_path / "d.jsonl", rows), out=tmp_path / "out", costly=False)
    assert not report.passed
    assert (report.checked, report.bad_rows, report.gold_failures) == (14, 4, 2)
    assert report.problems[0] == "2 gold answers below 1"
    assert report.problems[-1] == "28.57% of rows and responses cannot be scored (allowed: 0.00%)"
    failures = [json.loads(line) for line in (tmp_path / "out" / "failures.jsonl").read_text().splitlines()]
    assert [(f["check"], f["row"]) for f in failures] == [
        ("gold", 9),
        ("gold", 10),
        ("row", 11),
        ("row", 12),
        ("row", 13),
        ("row", 14),
    ]
    assert "row 11, field prompt" in failures[2]["problem"]


def test_a_dataset_whose_answer_is_always_a_is_caught(tmp_path):
    rows = [row("choice", i, {"golden_label": "A"}, options=["w", "x", "y", "z"]) for i in range(20)]
    report = audit(write(tmp_path / "d.jsonl", rows))
    assert [(p.probe, p.metric, p.mean) for p in report.exploited] == [("first_option", "choice", 1.0)]
    assert report.failures[0]["check"] == "probe"
    assert audit(tmp_path / "d.jsonl", probes=False).passed


def test_nothing_checked_is_no_pass(tmp_path):
    report = audit(write(tmp_path / "d.jsonl", ["{broken"]), max_error_rate=1.0)
    assert report.problems == ["no row could be checked"]


def test_some_bad_rows_may_be_allowed(tmp_path):
    data = write(tmp_path / "d.jsonl", [*good_rows()[:9], "{broken"])
    assert not audit(data, max_error_rate=0.09, costly=False).passed
    assert audit(data, max_error_rate=0.1, costly=False).passed
    with pytest.raises(UsageError, match="from 0 to 1"):
        audit(data, max_error_rate=2, costly=False)


def test_a_metric_that_pays_for_junk_is_caught(tmp_path, monkeypatch):
    def gullible(record, text):
        return Score(value=float(any(gold in text for gold in record.gold.doc_ids)))

    monkeypatch.setitem(REWARDS, "f1", gullible)
    report = audit(write(tmp_path / "d.jsonl", [r for r in good_rows() if r["extra_info"]["metric"] == "f1"]))
    assert {p.probe for p in report.exploited} >= {"dump", "dump_500", "half", "first_only", "in_a_sentence"}
    assert "full_width" in {v.variant for v in report.false_negatives}
    assert [curve.falls for curve in report.curves] == [True]


def test_a_metric_that_ignores_corruption_is_caught(tmp_path, monkeypatch):
    monkeypatch.setitem(REWARDS, "subem", lambda record, text: Score(value=float(bool(text.strip()))))
    report = audit(write(tmp_path / "d.jsonl", [r for r in good_rows() if r["extra_info"]["metric"] == "subem"]))
    assert "corruption does not lower subem" in report.problems
    assert report.failures[-1]["check"] == "sensitivity"


def test_the_self_test_passes_and_covers_every_metric_and_published_form():
    report = self_test()
    assert report.passed, report.failures
    assert set(report.metrics) == set(REWARDS)
    assert {row["data_source"] for row in self_test_rows()} >= {*LEGACY_SOURCES, "longbench_pro"}
    attacks = {name: {p.probe for p in report.probes if p.metric == name} for name in REWARDS}
    assert min(map(len, attacks.values())) >= 20
    assert report.workers.timeouts == 1


def test_given_responses_are_scored_by_index(tmp_path):
    data = write(tmp_path / "d.jsonl", [row("f1", 7, {"doc_ids": ["a1", "b2"]}), row("em", 8, {"golden_label": "x"})])
    answers = [
        {"id": 7, "response": "a1\nb2"},
        {"id": "7", "response": "a1"},
        {"id": 99, "response": "?"},
        {"id": 7, "response": "<think>"},
    ]
    report = audit(data, responses=write(tmp_path / "r.jsonl", answers), out=tmp_path / "out")
    samples = [json.loads(line) for line in (tmp_path / "out" / "samples.jsonl").read_text().splitlines()]
    assert [(s["id"], s["repeat"], s["score"], s["reason"]) for s in samples] == [
        ("7", 0, 1.0, "ok"),
        ("7", 1, pytest.approx(2 / 3), "ok"),
        ("7", 2, 0.0, "unclosed_think"),
    ]
    part = report.capabilities["T3 exhaustive retrieval"]
    assert part.mean == pytest.approx((1 + 2 / 3) / 3)
    assert part.reasons == {"ok": 2, "unclosed_think": 1}
    assert (part.low, part.high) == (None, None)
    assert part.histogram == [1, 0, 0, 0, 0, 0, 1, 0, 0, 1]
    assert (report.rows_without_response, report.unmatched_responses) == (1, 1)


def test_responses_come_with_intervals_over_rows_and_without_old_samples(tmp_path):
    data = write(tmp_path / "d.jsonl", [row("em", index, {"golden_label": "x"}) for index in range(4)])
    answers = [{"index": index, "responses": ["x" if index % 2 else "y"] * 3} for index in range(4)]
    report = audit(data, responses=write(tmp_path / "r.jsonl", answers), probes=False, out=tmp_path / "out")
    part = report.capabilities["T1 precise retrieval"]
    assert (part.responses, part.mean, part.low, part.high) == (12, 0.5, 0.0, 1.0)
    assert "Reward distribution" in (tmp_path / "out" / "report.html").read_text()
    audit(data, probes=False, out=tmp_path / "out")
    assert not (tmp_path / "out" / "samples.jsonl").exists()


def test_responses_that_fit_nothing_are_an_error(tmp_path):
    data = write(tmp_path / "d.jsonl", good_rows())
    with pytest.raises(DataError, match="no id of"):
        audit(data, responses=write(tmp_path / "r.jsonl", [{"id": 5000, "response": "a"}]), costly=False)
    with pytest.raises(DataError, match="line 1: expected the fields id"):
        audit(data, responses=write(tmp_path / "r.jsonl", [{"id": 1}]), costly=False)


def test_responses_to_an_index_that_two_rows_share_are_an_error(tmp_path):
    twins = write(tmp_path / "d.jsonl", [row("em", 1, {"golden_label": city}) for city in ("Paris", "Rome")])
    answers = write(tmp_path / "r.jsonl", [{"id": 1, "response": "Paris"}])
    with pytest.raises(DataError, match=r"rows 1 and 2 share the index 1, .* extra_info.index of its own"):
        audit(twins, responses=answers, probes=False)
    assert audit(twins, probes=False).passed


def test_a_sample_is_drawn_by_seed(tmp_path):
    data = write(tmp_path / "d.jsonl", good_rows())
    first, again, other = (audit(data, sample=10, seed=seed, probes=False) for seed in (1, 1, 2))
    assert first.checked == 10
    assert first.metrics == again.metrics
    assert first.metrics != other.metrics


def test_parquet_is_read_as_well(tmp_path):
    assert write_parquet(tmp_path / "d.parquet", map(parse_record, good_rows())) == 72
    report = audit(tmp_path / "d.parquet", costly=False)
    assert report.passed, report.failures


def test_inputs_that_are_none(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(DataError, match="has no rows"):
        audit(tmp_path / "empty.jsonl")
    with pytest.raises(DataError, match="no such data file"):
        audit(tmp_path / "missing.jsonl")
    with pytest.raises(UsageError, match="is a file"):
        audit(write(tmp_path / "d.jsonl", good_rows()), out=tmp_path / "empty.jsonl")


def test_an_interrupted_audit_leaves_the_last_report(tmp_path):
    data = write(tmp_path / "d.jsonl", good_rows())
    audit(data, out=tmp_path / "out", costly=False)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    def stop(count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audit(data, out=tmp_path / "out", progress=stop, costly=False)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_every_probe_stays_below_its_bound_on_one_gold_as_well():
    for metric in REWARDS:
        gold = {"golden_label": {"choice": "B", "math": "42"}.get(metric, "one"), "doc_ids": []}
        gold = {"golden_label": '{"data": [["one", 1]]}'} if metric == "iou" else gold
        sample = parse_record(row(metric, 1, gold, options=list("wxyz")))
        for name, probe in PROBES.items():
            response = probe.response(sample, None) if metric in probe.row_bounds and not probe.rows else None
            if response is not None:
                assert score_response(sample, response).value <= probe.row_bounds[metric], (name, metric)


def test_published_rows_that_name_documents_by_their_source_alone_pass(tmp_path):
    sample = row("math", 1, {"golden_label": "42", "doc_ids": ["<|doc_3|>"]})
    sample = {**sample, "data_source": "retrieval_calculate", "extra_info": {"index": 1}}
    report = audit(write(tmp_path / "d.jsonl", [sample]), costly=False)
    assert report.passed, report.failures


def test_the_attack_by_another_unit_names_one_that_is_not_the_golds():
    golds = {"5 km": "The answer is 5 kg.", "2.5 kg": "The answer is 2.5 km.", "42": None, "x": None}
    for gold, attack in golds.items():
        sample = parse_record(row("math", 1, {"golden_label": gold}))
        assert PROBES["other_unit"].response(sample, None) == attack


def test_guess_rate():
    assert guess_rate(parse_record(row("choice", 1, {"golden_label": "B"}, options=["x", "y"]))) == 0.5
    assert guess_rate(parse_record(row("choice", 1, {"golden_label": "B"}))) == 0.25
    assert guess_rate(parse_record(row("choice", 1, {"golden_label": "Paris"}))) == 0.1
    assert PROBES["first_option"].mean_bounds == {"choice": CHANCE}
