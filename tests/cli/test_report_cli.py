import importlib
import json

import pytest
from run_cli import golongrl

from golongrl.cli.report import PAGES, page_of
from golongrl.core.errors import RunConflictError
from golongrl.core.runs import open_run
from golongrl.pipeline.dataset.build import build
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.pipeline.simulation.run import simulate
from golongrl.rewards.audit import audit


def record(answer, index=0):
    return json.dumps(
        {
            "data_source": "EM",
            "prompt": [{"role": "user", "content": "Which city?"}],
            "ability": "a",
            "reward_model": {
                "style": "rule",
                "ground_truth": {"golden_label": answer, "doc_ids": [], "summary": ""},
            },
            "extra_info": {"index": index, "metric": "em"},
        }
    )


def test_a_simulation_and_an_audit_are_shown_again_from_their_folders(tmp_path):
    simulate([], batches=2, prompts=8, rollouts=4, out=tmp_path / "sim", alpha=0.5)
    (tmp_path / "d.jsonl").write_text(record("Paris") + "\n" + record("", 1) + "\n")
    (tmp_path / "r.jsonl").write_text('{"id": 0, "response": "<script>Paris</script>"}\n')
    audit(tmp_path / "d.jsonl", responses=tmp_path / "r.jsonl", probes=False, out=tmp_path / "audit")
    pages = {}
    for kind, folder in (("simulate", "sim"), ("verify-rewards", "audit")):
        pages[kind] = (tmp_path / folder / "report.html").read_text()
        assert page_of(tmp_path / folder, kind).html() == pages[kind]
    assert "<dt>alpha</dt><dd>0.5</dd>" in pages["simulate"]
    assert "<script>Paris" not in pages["verify-rewards"]
    assert 'class="verdict failed"' in pages["verify-rewards"]


def test_the_folder_of_another_run_is_not_written_over(tmp_path):
    run = open_run(tmp_path / "run", {}, command="train")
    (tmp_path / "d.jsonl").write_text(record("Paris") + "\n")
    with pytest.raises(RunConflictError, match="holds a run of golongrl train; choose another --out"):
        simulate([], batches=1, prompts=4, rollouts=2, out=run.folder)
    with pytest.raises(RunConflictError, match="holds a run of golongrl train"):
        audit(tmp_path / "d.jsonl", probes=False, out=run.folder)
    assert sorted(path.name for path in run.folder.iterdir()) == ["config.json", "manifest.json"]


def test_the_command_writes_the_page_and_tells_programs(tmp_path):
    simulate([], batches=1, prompts=4, rollouts=2, out=tmp_path / "sim")
    (tmp_path / "sim" / "report.html").unlink()
    done = golongrl("report", "sim", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "kind": "simulate",
        "verdict": "finished",
        "out": "sim/report.html",
        "sections": ["Rollouts", "Who gets the gradient", "Settings"],
    }
    assert (tmp_path / "sim" / "report.html").stat().st_size > 1_000
    done = golongrl("report", "sim", "--out", "there/page.html", cwd=tmp_path)
    assert done.stdout == ""
    assert "simulate, finished: there/page.html" in done.stderr
    assert (tmp_path / "there" / "page.html").exists()


def test_a_folder_that_is_no_run_is_refused_with_one_message(tmp_path):
    open_run(tmp_path / "all" / "one", {}, command="train")
    open_run(tmp_path / "other", {}, command="dream")
    (tmp_path / "a.txt").write_text("x")
    for name, words in {
        "nowhere": "nowhere is missing",
        "a.txt": "a.txt is a file",
        "all": "runs in it: all/one",
        "other": "a run of dream, which has no report page",
    }.items():
        done = golongrl("report", name, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("golongrl: ")
        assert words in line
        assert "build-dataset, verify-rewards, simulate, train" in line or "run folder" in line


def test_a_build_is_shown_again_with_its_times_and_else_the_same(tmp_path):
    (tmp_path / "docs").mkdir()
    for number in range(3):
        parts = [f"# Guide {number}\n"]
        for animal in ("ant", "bear", "crane", "dove", "eagle"):
            parts.append(f"## Where the {animal} lives {number}\n")
            parts.append(f"The {animal} of guide {number} sleeps beside the old bridge until the sun is up at noon.")
            parts.append(f"Keepers of the park bring {number + 7} buckets of food to the {animal} before dusk.\n")
        (tmp_path / "docs" / f"g{number}.md").write_text("\n".join(parts))
    config = BuildConfig(sources=[str(tmp_path / "docs")], target=6, length_bins=(1024,), capabilities=("T1", "T3"))
    folder = build(config, tmp_path / "data").out
    written = (folder / "report.html").read_text()
    again = page_of(folder, "build-dataset").html()
    without = [line for line in again.splitlines() if "<li><span>" not in line or "golongrl" in line]
    assert without == written.splitlines()
    assert "<li><span>started</span>" in again
    # Taken back to where it was still going on.
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "finished": None}))
    (folder / "build.json").unlink()
    going = page_of(folder, "build-dataset")
    assert going.header.verdict == "unfinished"
    assert [heading for heading, _ in going.sections] == ["So far", "Settings"]


@pytest.mark.parametrize("kind", PAGES)
def test_every_kind_has_a_function_for_its_page(kind):
    assert callable(importlib.import_module(PAGES[kind]).page_of)
