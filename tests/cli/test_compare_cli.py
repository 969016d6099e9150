"""`golongrl compare` over runs that `golongrl eval` made: exit codes, streams, files."""

import json

import pytest
from run_cli import golongrl


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three evaluations of 24 multiple-choice items: the second answers eight more of them right."""
    folder = tmp_path_factory.mktemp("compare")
    item = {"question": "Which?", "choice_A": "a", "choice_B": "b", "choice_C": "c", "choice_D": "d", "answer": "B"}
    for name, right in (("base", 6), ("trained", 14), ("thinking", 14)):
        rows = [{**item, "id": str(n), "response": "B" if n < right else "C"} for n in range(24)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        extra = ("--think", "required") if name == "thinking" else ()
        args = ("--bench", "longbench-v2", "--responses", f"{name}.jsonl", "--out", f"runs/{name}", *extra)
        done = golongrl("eval", *args, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def test_a_table_verdicts_and_a_report_for_people(runs):
    done = golongrl("compare", "runs/base", "runs/trained", cwd=runs)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "Difference to the baseline in points: trained" in done.stderr
    # 8 of 8 changed items got better: 2 of 256 sign flips are as far out.
    assert "longbench-v2: trained is better than base by 33.3 points [" in done.stderr
    assert "p 0.008 (24 items)" in done.stderr
    assert "report: runs/compare/base-vs-trained/report.html" in done.stderr
    files = {path.name for path in (runs / "runs/compare/base-vs-trained").iterdir()}
    assert files == {"compare.json", "manifest.json", "report.html"}


def test_json_is_one_object_and_what_the_file_holds(runs):
    done = golongrl("compare", "runs/base", "runs/trained", "--json", "--out", "out", "--seed", 3, cwd=runs)
    found = json.loads(done.stdout)
    assert found == json.loads((runs / "out/compare.json").read_text())
    assert (found["kind"], found["baseline"], found["seed"], found["level"]) == ("eval", "base", 3, 0.95)
    (one,) = found["comparisons"]
    assert (one["first"], one["second"], one["p"]) == (0.25, pytest.approx(14 / 24), 2 / 256)
    assert one["changes"]["counts"]["wrong to right"] == 8


def test_other_settings_are_refused_with_exit_code_2(runs):
    done = golongrl("compare", "runs/base", "runs/thinking", "--out", "refused", cwd=runs)
    assert done.returncode == 2
    assert "think optional against required (longbench-v2)" in done.stderr
    assert "--allow-different" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (runs / "refused").exists()
    done = golongrl("compare", "runs/base", "runs/thinking", "--allow-different", "--out", "allowed", cwd=runs)
    assert done.returncode == 0
    assert "thinking: compared although settings differ: longbench-v2: think optional against required" in done.stderr


def test_wrong_calls_are_one_message(runs):
    both = ("runs/base", "runs/trained")
    for args in (
        ("runs/base",),
        ("runs/base", "runs/none"),
        (*both, "--baseline", "x"),
        (*both, "--out", "runs/base"),
    ):
        done = golongrl("compare", *args, cwd=runs)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert "Traceback" not in done.stderr
