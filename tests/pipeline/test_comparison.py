"""Evaluations compared: pairing, verdicts by hand, what is refused, what is left out, the page."""

import json
import re

import numpy as np
import pytest
from comparison_runs import sample, scored, write_eval

from golongrl.core.errors import DataError, UsageError
from golongrl.pipeline.comparison.run import compare, page_of
from golongrl.pipeline.comparison.table import tables
from golongrl.pipeline.comparison.verdict import p_text, percent, points, signed


def done(tmp_path, *runs, **options):
    return compare(runs, out=tmp_path / "out", **options)


def only(found):
    (one,) = found.as_json()["comparisons"]
    return one


def test_a_verdict_that_a_few_lines_of_numpy_confirm(tmp_path):
    # 21 items get better, 10 worse, 91 stay: the counts of two models on InfiniteBench's multiple choice.
    before = [0.0] * 21 + [1.0] * 10 + [1.0] * 71 + [0.0] * 20
    after = [1.0] * 21 + [0.0] * 10 + [1.0] * 71 + [0.0] * 20
    found = done(tmp_path, write_eval(tmp_path / "a", scored(before)), write_eval(tmp_path / "b", scored(after)))
    one = only(found)
    difference = np.array(after) - np.array(before)
    rng = np.random.default_rng(1)
    means = [rng.choice(difference, size=122).mean() for _ in range(4000)]
    flips = np.abs(rng.choice([-1, 1], size=(4000, 122)) @ difference) >= 11
    assert one["mean"] == pytest.approx(11 / 122)
    assert [one["low"], one["high"]] == pytest.approx(list(np.quantile(means, [0.025, 0.975])), abs=0.009)
    assert one["p"] == pytest.approx(flips.mean(), abs=0.015)
    error = difference.std(ddof=1) / np.sqrt(122)
    assert one["standard_error"] == pytest.approx(error)
    assert one["detectable"] == pytest.approx((1.98 + 0.845) * error, rel=0.01)
    assert one["items_to_see_one_point"]["at_present_clusters"] == pytest.approx(
        (2.8 * error / 0.01) ** 2 * 122, rel=0.01
    )
    assert one["changes"] == {
        "counts": {"wrong to right": 21, "right to wrong": 10, "higher": 0, "lower": 0},
        "unchanged": 91,
    }
    assert one["outcome"] == "no difference seen"
    assert re.fullmatch(
        r"no difference seen: \+9\.0 points \[(-0\.\d|0\.0), 1[78]\.\d\], p 0\.07\d; one under 12\.7 points "
        r"would be missed more than one time in five with these 122 items",
        one["verdict"],
    )


def test_what_is_visible_depends_on_what_the_other_tests_see(tmp_path):
    before = [0.0] * 21 + [1.0] * 10 + [1.0] * 71 + [0.0] * 20
    after = [1.0] * 21 + [0.0] * 10 + [1.0] * 71 + [0.0] * 20
    runs = [write_eval(tmp_path / name, scored(s)) for name, s in (("a", before), ("b", after), ("c", after))]
    found = done(tmp_path, *runs)
    one = found.as_json()["comparisons"][0]
    # A standard deviation of 0.498 over 122 items. Student's 97.5% quantile at 121 degrees of freedom is 1.980; at
    # 98.75%, a twentieth shared by two tests, it is 2.270.
    error = one["standard_error"]
    assert error == pytest.approx(0.0451, abs=1e-4)
    assert one["detectable"] == pytest.approx((1.980 + 0.845) * error, rel=0.003)
    assert one["detectable_alone"] == pytest.approx((2.270 + 0.845) * error, rel=0.003)
    ((_, columns, rows), *_) = tables(found.result)
    assert rows[0][columns.index("smallest visible")] == "12.7 to 14.0"
    # The sentence stays true whatever the other test sees.
    assert "one under 12.7 points would be missed" in one["verdict"]
    alone = only(done(tmp_path / "alone", *runs[:2]))
    assert alone["detectable_alone"] == alone["detectable"] == one["detectable"]


def test_a_benchmark_of_one_item_leaves_the_mean_without_an_interval(tmp_path):
    for run, score in (("a", 0.0), ("b", 1.0)):
        write_eval(tmp_path / run / "x", scored([score] * 20), "x")
        write_eval(tmp_path / run / "y", scored([score]), "y")
    (average,) = done(tmp_path, tmp_path / "a", tmp_path / "b").as_json()["averages"]
    assert average["mean"] == 1.0
    assert average["verdict"] == "+100.0 points; one document or prompt by itself allows no interval of the mean"
    assert [average[key] for key in ("low", "high", "standard_error", "detectable", "freedom")] == [*[None] * 4, 0]


def test_few_clusters_may_see_nothing_where_they_must_pass_alone(tmp_path):
    # Eight differences: the smallest p that flips of signs reach is 2 / 256, more than 0.05 / 8.
    before, after = [0.1 * n for n in range(8)], [0.1 * n + 0.02 * (n % 3) for n in range(8)]
    runs = [write_eval(tmp_path / "a", scored(before))]
    runs += [write_eval(tmp_path / f"b{n}", scored(after)) for n in range(8)]
    found = done(tmp_path, *runs)
    one = found.as_json()["comparisons"][0]
    assert one["detectable"] > 0
    assert one["detectable_alone"] is None
    ((_, columns, rows), *_) = tables(found.result)
    assert rows[0][columns.index("smallest visible")].endswith(" at best")


def test_better_and_worse_name_run_baseline_size_and_interval(tmp_path):
    a = write_eval(tmp_path / "a", scored([0.0] * 30 + [1.0] * 10))
    b = write_eval(tmp_path / "b", scored([1.0] * 20 + [0.0] * 10 + [1.0] * 10))
    assert re.fullmatch(
        r"b is better than a by 50\.0 points \[3\d\.\d, 6\d\.\d\], p <0\.001 \(40 items\)",
        only(done(tmp_path, a, b))["verdict"],
    )
    assert only(done(tmp_path, a, b, baseline=b))["verdict"].startswith("a is worse than b by 50.0 points [-6")


def test_a_small_p_that_holm_lifts_is_not_shown(tmp_path):
    # 10 better and 2 worse: McNemar's p is 0.039, over two tests 0.077, and the interval is above zero.
    scores = {"x": ([0.0] * 10 + [1.0] * 2 + [1.0] * 50, [1.0] * 10 + [0.0] * 2 + [1.0] * 50)}
    scores["y"] = ([0.0] * 5 + [1.0] * 5 + [1.0] * 50, [1.0] * 5 + [0.0] * 5 + [1.0] * 50)
    for bench, (before, after) in scores.items():
        write_eval(tmp_path / "a" / bench, scored(before), bench)
        write_eval(tmp_path / "b" / bench, scored(after), bench)
    x, y = done(tmp_path, tmp_path / "a", tmp_path / "b").as_json()["comparisons"]
    assert x["p"] == pytest.approx(0.0386, abs=1e-4)
    assert x["p_holm"] == pytest.approx(2 * x["p"])
    assert x["low"] > 0
    assert x["verdict"].startswith("b looks better than a, which is not shown: +12.9 points")
    assert y["outcome"] == "no difference seen"


def test_the_mean_over_benchmarks_is_a_question_of_its_own(tmp_path):
    for bench, gain in (("x", 20), ("y", 10)):
        write_eval(tmp_path / "a" / bench, scored([0.0] * 100), bench)
        write_eval(tmp_path / "b" / bench, scored([1.0] * gain + [0.0] * (100 - gain)), bench)
    found = done(tmp_path, tmp_path / "a", tmp_path / "b")
    (average,) = found.as_json()["averages"]
    assert (average["first"], average["second"], average["benches"]) == (0.0, pytest.approx(0.15), ["x", "y"])
    error = np.sqrt(0.2 * 0.8 / 99 + 0.1 * 0.9 / 99) / 2
    assert average["mean"] == pytest.approx(0.15)
    assert [average["low"], average["high"]] == pytest.approx([0.15 - 1.98 * error, 0.15 + 1.98 * error], abs=0.006)
    assert average["p"] < 0.001
    assert average["standard_error"] == pytest.approx(error)
    assert found.verdicts()[-1].startswith("mean of 2 benchmarks: b is better than a by 15.0 points [")


def test_benchmarks_without_a_change_leave_their_mean_open(tmp_path):
    for bench in ("x", "y"):
        for name in "ab":
            write_eval(tmp_path / name / bench, scored([0.0] * 20), bench)
    # 16.8 points of either: sqrt(2) / 2 of that.
    assert done(tmp_path, tmp_path / "a", tmp_path / "b").verdicts()[-1] == (
        "mean of 2 benchmarks: no difference: the scores of all 40 items are equal, which rules out a true one of "
        "more than 11.9 points"
    )


def test_three_runs_are_each_compared_with_the_baseline(tmp_path):
    runs = [
        write_eval(tmp_path / name, scored([float(at < n) for at in range(20)]))
        for name, n in zip("abc", (5, 5, 15), strict=True)
    ]
    found = done(tmp_path, *runs).as_json()
    assert [(one["baseline"], one["run"], one["outcome"]) for one in found["comparisons"]] == [
        ("a", "b", "equal"),
        ("a", "c", "better"),
    ]
    assert found["comparisons"][0]["verdict"] == (
        "no difference: the scores of all 20 items are equal, which rules out a true one of more than 16.8 points"
    )
    assert found["comparisons"][1]["p_holm"] == pytest.approx(2 * found["comparisons"][1]["p"])
    assert [run["label"] for run in done(tmp_path, *runs, baseline="c").as_json()["runs"]] == ["c", "a", "b"]
    with pytest.raises(UsageError, match="--baseline d is none of the runs"):
        done(tmp_path, *runs, baseline="d")


def test_what_has_no_score_never_counts_as_zero_and_is_named(tmp_path):
    a = write_eval(tmp_path / "a", [*scored([1.0, 1.0, None, None, 1.0, 0.0]), sample("mine", 1.0)])
    b = write_eval(tmp_path / "b", [*scored([1.0, None, 1.0, None, 1.0, 1.0]), sample("theirs", 0.0)])
    found = done(tmp_path, a, b)
    one = only(found)
    assert (one["n_items"], one["first"], one["second"]) == (3, pytest.approx(2 / 3), 1.0)
    assert one["left_out"] == {
        "only_baseline": ["mine"],
        "only_run": ["theirs"],
        "unscored_baseline": ["2"],
        "unscored_run": ["1"],
        "unscored_both": ["3"],
    }
    assert "mrcr, b: 1 of 8 items left out: no score in b, 1 overlong_input (1)" in found.remarks()
    assert "mrcr, b: 1 of 8 items left out: only in a (mine)" in found.remarks()


def test_repeats_are_averaged_and_tell_chance_from_items(tmp_path):
    rng = np.random.default_rng(0)
    chances = rng.random(40)
    runs = []
    for name, lift in (("a", 0.0), ("b", 0.05)):
        rows = [
            sample(str(item), float(rng.random() < chance + lift), repeat=repeat)
            for item, chance in enumerate(chances)
            for repeat in range(4)
        ]
        rows[3]["score"] = None
        runs.append(write_eval(tmp_path / name, rows, repeats=4))
    found = done(tmp_path, *runs)
    one = only(found)
    assert one["n_items"] == 40
    assert one["partly_scored"] == ["0"]
    # Items of equal chances in both runs: all that they differ by is chance.
    assert one["noise_share"] > 0.6
    assert one["detectable_with_many_repeats"] < 0.65 * one["detectable"]
    assert "mrcr, b: 1 items are compared by those of their repeats that have a score" in found.remarks()


def test_documents_not_items_decide_how_sure_it_is(tmp_path):
    rows = {
        name: [
            sample(f"{doc}-{q}", float(doc % 3 == 0) * (name == "b"), cluster=f"doc {doc}")
            for doc in range(9)
            for q in range(10)
        ]
        for name in "ab"
    }
    one = only(done(tmp_path, *(write_eval(tmp_path / name, rows[name]) for name in "ab")))
    assert (one["n_items"], one["n_clusters"]) == (90, 9)
    assert one["p"] == 0.25  # three documents differ, and 2 of their 8 flips are as far out
    assert one["low"] <= 0
    assert "with these 90 items from 9 documents" in one["verdict"]


def test_a_document_may_be_called_zero_and_the_verdict_counts_what_is_missing(tmp_path):
    def bare(name, scores):
        rows = [{"id": at, "score": score, "cluster": at // 10} for at, score in enumerate(scores)]
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return tmp_path / name

    one = only(done(tmp_path, bare("a.jsonl", [0.0] * 60), bare("b.jsonl", [1.0] * 50 + [0.0] * 8 + [None] * 2)))
    # Five of six documents differ, all for the better: p is 2 / 2**5.
    assert (one["n_clusters"], one["p"]) == (6, 0.0625)
    assert one["verdict"].endswith("(58 of 60 items from 6 documents)")


def test_too_few_documents_are_called_so(tmp_path):
    runs = [write_eval(tmp_path / name, scored([float(name == "b")] * 5)) for name in "ab"]
    found = done(tmp_path, *runs)
    assert only(found)["verdict"] == (
        "+100.0 points, but 5 items are too few to tell: no test can reach p 0.05 with fewer than 6 clusters"
    )
    assert any("5 documents or conversations are few" in line for line in found.remarks())


def test_buckets_are_compared_in_their_order(tmp_path):
    a = [sample(str(n), 0.0, length="8k" if n < 6 else "16k", needles="2") for n in range(12)]
    b = [sample(str(n), float(n < 3), length="8k" if n < 6 else "16k", needles="2") for n in range(12)]
    b[11]["length"] = "32k"
    runs = [
        write_eval(tmp_path / name, rows, axes=("length", "needles", "length x needles"))
        for name, rows in (("a", a), ("b", b))
    ]
    found = done(tmp_path, *runs)
    buckets = only(found)["buckets"]
    assert [(x["axis"], x["value"], x["n_items"], x["mean"]) for x in buckets] == [
        ("length", "8k", 6, 0.5),
        ("length", "16k", 6, 0.0),
    ]
    assert buckets[0]["low"] < 0.5 < buckets[0]["high"]
    assert (buckets[1]["low"], buckets[1]["high"]) == pytest.approx((0.025 ** (1 / 6) - 1, 1 - 0.025 ** (1 / 6)))
    assert any("1 items are in another bucket in b" in line for line in found.remarks())


def test_changed_items_come_with_the_largest_changes_first(tmp_path):
    a = write_eval(tmp_path / "a", scored([0.9, 0.2, 0.6, 0.3, 0.5]))
    b = write_eval(tmp_path / "b", scored([0.1, 0.3, 0.4, 0.9, 0.5]))
    changed = only(done(tmp_path, a, b))["changed_items"]
    assert [(item["id"], item["change"]) for item in changed] == [
        ("0", "right to wrong"),
        ("3", "wrong to right"),
        ("2", "right to wrong"),
        ("1", "higher"),
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"temperature": 0.0}, "temperature 0.7 against 0.0"),
        ({"think": "required"}, "think optional against required"),
        ({"yarn": 4.0}, "yarn not recorded against 4.0"),
        ({"seed": 1}, "seed 0 against 1"),
        ({"judge": {"model": "j"}}, "judge model not recorded against j"),
        ({"inputs": {"data": "d2"}}, "data sha256 d1 against d2"),
        ({"inputs": {"plugin x.py": "p"}}, "plugin x.py sha256 not recorded against p"),
        ({"versions": {"golongrl": "2.0"}}, "golongrl 1.0 against 2.0"),
    ],
)
def test_runs_with_other_settings_are_refused_unless_told(tmp_path, changes, says):
    runs = [write_eval(tmp_path / "a", scored([0.0] * 8)), write_eval(tmp_path / "b", scored([1.0] * 8), **changes)]
    with pytest.raises(UsageError, match="--allow-different") as refused:
        done(tmp_path, *runs)
    assert f"  a against b: {says} (mrcr)" in str(refused.value)
    assert not (tmp_path / "out").exists()
    found = done(tmp_path, *runs, allow_different=True)
    assert only(found)["outcome"] == "better"
    assert any("compared although settings differ" in line and says in line for line in found.remarks())


def test_what_follows_from_the_model_is_only_noted(tmp_path):
    a = write_eval(tmp_path / "a", scored([0.0, 1.0]))
    b = write_eval(tmp_path / "b", scored([0.0, 1.0]), tokenizer="other", max_model_len=4096)
    remarks = done(tmp_path, a, b).remarks()
    assert any(
        line.startswith("b: also differs in mrcr: tokenizer approx against other; mrcr: max_model_len")
        for line in remarks
    )


def test_one_difference_in_several_benchmarks_is_told_once(tmp_path):
    for bench in ("x", "y"):
        write_eval(tmp_path / "a" / bench, scored([0.0]), bench)
        write_eval(tmp_path / "b" / bench, scored([0.0]), bench, temperature=0.0)
    with pytest.raises(UsageError) as refused:
        done(tmp_path, tmp_path / "a", tmp_path / "b")
    assert str(refused.value).count("temperature") == 1
    assert "temperature 0.7 against 0.0 (x, y)" in str(refused.value)


def test_ids_that_stand_for_other_documents_are_refused(tmp_path):
    a = write_eval(tmp_path / "a", scored([0.0, 1.0], cluster="doc 1"))
    b = write_eval(tmp_path / "b", scored([0.0, 1.0], cluster="doc 2"))
    with pytest.raises(UsageError, match="2 ids stand for items of other documents"):
        done(tmp_path, a, b)


def test_bare_files_are_compared_with_a_warning(tmp_path):
    rows = {"a": [0.0] * 8, "b": [1.0] * 8}
    for name, scores in rows.items():
        samples = scored(scores, length="8k")
        (tmp_path / f"{name}.jsonl").write_text(
            "".join(json.dumps({k: s[k] for k in ("id", "score", "length")}) + "\n" for s in samples)
        )
    found = done(tmp_path, tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert (only(found)["bench"], only(found)["outcome"]) == ("samples", "better")
    assert "a: no results.json beside samples, so its settings are unknown" in found.remarks()
    # Beside a run that names its benchmark, the file is taken for one of that.
    whole = write_eval(tmp_path / "c", scored([0.0] * 8))
    assert only(done(tmp_path, whole, tmp_path / "b.jsonl"))["bench"] == "mrcr"


def test_runs_without_a_common_item_are_refused(tmp_path):
    a = write_eval(tmp_path / "a", [sample("x", 1.0)])
    b = write_eval(tmp_path / "b", [sample("y", 1.0)])
    with pytest.raises(UsageError, match=r"nothing to compare .mrcr, b: no item that both scored"):
        done(tmp_path, a, b)


def test_results_json_stands_for_its_folder(tmp_path):
    runs = [write_eval(tmp_path / name, scored([float(name == "b")] * 8)) for name in "ab"]
    found = done(tmp_path, runs[0] / "results.json", runs[1] / "samples.jsonl")
    assert only(found)["outcome"] == "better"
    assert [run["label"] for run in found.as_json()["runs"]] == ["a", "b"]


def test_benchmarks_of_one_run_only_are_named(tmp_path):
    write_eval(tmp_path / "a" / "x", scored([0.0] * 8), "x")
    write_eval(tmp_path / "a" / "y", scored([0.0] * 8), "y")
    b = write_eval(tmp_path / "b", scored([1.0] * 8), "x")
    found = done(tmp_path, tmp_path / "a", b)
    assert found.as_json()["not_compared"] == [{"run": "b", "bench": "y", "why": "only a has it"}]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ('{"score": 1}\n', "line 1: no field id"),
        ('{"id": "a", "score": "1"}\n', "line 1, field score: expected a number or null, got '1'"),
        ('{"id": "a"}\n', "line 1, field score"),
        ('{"id": "a", "score": 1}\n{"id": "a", "score": 0}\n', "line 2: id 'a', repeat 0 occurs twice"),
        ("", "holds no sample"),
    ],
)
def test_broken_samples_are_named_by_file_and_line(tmp_path, rows, says):
    a = write_eval(tmp_path / "a", scored([0.0]))
    b = write_eval(tmp_path / "b", scored([0.0]))
    (b / "samples.jsonl").write_text(rows)
    with pytest.raises(DataError, match=re.escape(says)):
        done(tmp_path, a, b)


def test_what_is_no_run_is_told_so(tmp_path):
    a = write_eval(tmp_path / "a", scored([0.0]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds neither"):
        done(tmp_path, a, tmp_path / "empty")
    with pytest.raises(DataError, match="no such run"):
        done(tmp_path, a, tmp_path / "nowhere")
    with pytest.raises(UsageError, match="two runs or more"):
        done(tmp_path, a)
    with pytest.raises(UsageError, match="same run twice"):
        done(tmp_path, a, a)
    with pytest.raises(UsageError, match="--level 95"):
        done(tmp_path, a, a, level=95)


def test_a_run_is_called_like_its_folder_dots_included(tmp_path):
    runs = [write_eval(tmp_path / name, scored([0.0] * 8)) for name in ("qwen2.5-7b", "qwen2.5-14b")]
    assert [run["label"] for run in done(tmp_path, *runs).as_json()["runs"]] == ["qwen2.5-7b", "qwen2.5-14b"]


def test_runs_of_the_same_name_are_told_apart_by_their_paths(tmp_path):
    for place in ("one", "two"):
        write_eval(tmp_path / place / "eval", scored([0.0] * 8))
    found = done(tmp_path, tmp_path / "one/eval", tmp_path / "two/eval")
    assert [run["label"] for run in found.as_json()["runs"]] == [
        str(tmp_path / "one/eval"),
        str(tmp_path / "two/eval"),
    ]


def test_the_same_call_gives_the_same_bytes(tmp_path):
    rng = np.random.default_rng(5)
    runs = [write_eval(tmp_path / name, scored(rng.random(30).tolist())) for name in "ab"]
    compare(runs, out=tmp_path / "one", seed=3)
    compare(runs, out=tmp_path / "two", seed=3)
    assert (tmp_path / "one/compare.json").read_bytes() == (tmp_path / "two/compare.json").read_bytes()


def test_the_page_tells_verdict_figure_settings_and_escapes_answers(tmp_path):
    attack = "<script>alert(1)</script>"
    rows = [{**sample(f"{attack}{n}", 0.0, length="8k" if n < 4 else "16k"), "answer": attack} for n in range(8)]
    better = [{**row, "score": 1.0} for row in rows]
    a = write_eval(tmp_path / "a", rows, axes=("length",))
    b = write_eval(tmp_path / "b", better, axes=("length",), temperature=0.0)
    (b / "asked.jsonl").write_text(
        json.dumps({"id": rows[0]["id"], "question": f"Which {attack}?", "gold": {"answer": "x"}}) + "\n"
    )
    found = done(tmp_path, a, b, allow_different=True)
    html = (found.folder / "report.html").read_text()
    assert attack not in html
    assert html.count("<script") == html.count("</script>") == 2  # the samples as data, and what shows them
    assert '<tr class="better">' in html
    assert "b is better than a by 100.0 points" in html
    assert "Which \\u003cscript>alert(1)\\u003c/script>?" in html
    assert "temperature" in html
    assert "length 16k (4)" in html
    assert "http" not in html.replace("http-equiv", "")


def test_runs_that_do_not_differ_have_a_page_without_a_list(tmp_path):
    found = done(tmp_path, *(write_eval(tmp_path / name, scored([0.5] * 10)) for name in "ab"))
    html = (found.folder / "report.html").read_text()
    assert "the scores of all 10 items are equal, which rules out a true one of more than 30.8 points." in html
    assert "<script" not in html
    assert "as before" in html


def test_the_page_can_be_made_anew(tmp_path):
    rng = np.random.default_rng(5)
    runs = [write_eval(tmp_path / name, scored(rng.random(20).tolist())) for name in "abc"]
    found = done(tmp_path, *runs, baseline="b", level=0.9, seed=2)
    assert page_of(found.folder).html() == (found.folder / "report.html").read_text()
    with pytest.raises(DataError, match=r"holds no compare\.json"):
        page_of(tmp_path / "a")


def test_the_folder_of_another_run_is_not_written_to(tmp_path):
    a, b = (write_eval(tmp_path / name, scored([1.0])) for name in "ab")
    with pytest.raises(UsageError, match="choose another --out"):
        compare([a, b], out=a)


def test_numbers_for_people():
    assert [points(v) for v in (0.032, -0.0204, 0.0004, 0.0, -0.0000001)] == ["3.2", "-2.0", "0.04", "0.0", "0.0"]
    assert [signed(v) for v in (0.032, -0.0204, 0.0)] == ["+3.2", "-2.0", "0.0"]
    assert [p_text(v) for v in (0.0001, 0.0042, 0.25)] == ["<0.001", "0.004", "0.25"]
    assert [percent(v) for v in (0.9, 0.95, 0.995)] == ["90%", "95%", "99.5%"]
