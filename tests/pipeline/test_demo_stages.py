import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from golongrl.core.config import build
from golongrl.core.errors import DataError, UsageError
from golongrl.pipeline.demo.run import demo_stages, prepare_folder, project_settings
from golongrl.pipeline.demo.stages import Stage, StageFailedError, duration, run_command, run_stages
from golongrl.pipeline.training.config import TrainConfig

PYTHON = (sys.executable, "-c")
COUNT = "import pathlib; p = pathlib.Path('runs'); p.write_text(p.read_text() + 'x' if p.exists() else 'x')"
UPPER = (
    "import pathlib; pathlib.Path('result').mkdir(exist_ok=True); "
    "pathlib.Path('result/text').write_text(pathlib.Path('source').read_text().upper()); " + COUNT
)


def upper_stage(**changes):
    fields = {"about": "capitals", "inputs": ("source",), "outputs": ("result/text",), "command": (UPPER,)}
    return Stage(**{"name": "upper", "folder": "result", **fields, **changes})


def run(stages, folder):
    lines = []
    return run_stages(stages, folder, say=lines.append, program=PYTHON), lines


def runs(folder):
    return len((folder / "runs").read_text())


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "with a space"
    path.mkdir()
    (path / "source").write_text("abc")
    return path


def test_a_finished_stage_is_reused(folder):
    first, lines = run([upper_stage()], folder)
    assert (folder / "result/text").read_text() == "ABC"
    assert any(line.startswith("$ golongrl ") for line in lines)
    second, lines = run([upper_stage()], folder)
    assert [r.reused for r in first] == [False]
    assert [r.reused for r in second] == [True]
    assert second[0].seconds == first[0].seconds
    assert "reused" in lines[-1]
    assert runs(folder) == 1


def test_other_input_runs_again_and_sets_the_old_result_aside(folder):
    run([upper_stage()], folder)
    (folder / "source").write_text("xyz")
    results, _ = run([upper_stage()], folder)
    assert not results[0].reused
    assert (folder / "result/text").read_text() == "XYZ"
    assert (folder / "result.old-1/text").read_text() == "ABC"
    (folder / "source").write_text("abc")
    run([upper_stage()], folder)
    assert (folder / "result/text").read_text() == "ABC"
    assert (folder / "result.old-2/text").read_text() == "XYZ"


def test_other_command_runs_again(folder):
    run([upper_stage()], folder)
    assert not run([upper_stage(command=(UPPER + "; print()",))], folder)[0][0].reused


def test_lost_output_runs_again(folder):
    run([upper_stage()], folder)
    (folder / "result/text").unlink()
    results, _ = run([upper_stage()], folder)
    assert not results[0].reused
    assert (folder / "result/text").read_text() == "ABC"
    assert not (folder / "result.old-1").exists()


def test_a_failing_stage_stops_with_its_exit_code_and_is_owed(folder):
    fail = "import pathlib, sys; pathlib.Path('half').mkdir(); pathlib.Path('half/done').write_text('1'); sys.exit(3)"
    mended = "import pathlib; pathlib.Path('half/all').write_text(pathlib.Path('half/done').read_text())"
    never = Stage("never", "after a failure", outputs=("never",), command=("open('never', 'w')",))
    with pytest.raises(
        StageFailedError, match=r"'broken' was ended with exit code 3.*finished stages are reused"
    ) as e:
        run([upper_stage(), Stage("broken", "", ("half/all",), command=(fail,), folder="half"), never], folder)
    assert e.value.exit_code == 3
    assert not (folder / "never").exists()
    # The same stage is resumed where it stopped: what it left is still in place.
    resumed = (
        "import pathlib, sys; p = pathlib.Path('half'); done = (p / 'done').exists() if p.exists() else False; "
        "p.mkdir(exist_ok=True); (p / 'done').write_text('1'); (p / 'all').write_text('2') if done else sys.exit(1)"
    )
    stage = Stage("again", "", ("half/all",), command=(resumed,), folder="half")
    (folder / "half/done").unlink()
    (folder / "half").rmdir()
    with pytest.raises(StageFailedError):
        run([stage], folder)
    results, _ = run([upper_stage(), stage], folder)
    assert [r.reused for r in results] == [True, False]
    assert (folder / "half/all").read_text() == "2"
    assert runs(folder) == 1
    # Another command under the same name starts clean.
    with pytest.raises(StageFailedError):
        run(
            [Stage("again", "", ("half/more",), command=(mended + "; import sys; sys.exit(1)",), folder="half")],
            folder,
        )
    assert (folder / "half.old-1/all").read_text() == "2"


def test_a_killed_stage_gives_the_shells_exit_code(folder):
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(StageFailedError, match=r"SIGKILL \(often: the machine ran out of memory\)") as e:
        run([Stage("killed", "", ("x",), command=(kill,))], folder)
    assert e.value.exit_code == 137


def test_a_stage_without_its_output_is_a_failure(folder):
    with pytest.raises(StageFailedError, match="did not write nothing-here"):
        run([Stage("empty", "", ("nothing-here",), command=("pass",))], folder)
    with pytest.raises(DataError, match="is missing"):
        run([Stage("reader", "", (), inputs=("nothing-here",), command=("pass",))], folder)


def test_an_action_is_remembered_by_its_salt(folder):
    calls = []

    def stage(salt):
        return Stage("act", "", ("out",), action=lambda: calls.append((folder / "out").write_text(salt)), salt=salt)

    for salt in ("1", "1", "2"):
        run([stage(salt)], folder)
    assert len(calls) == 2


def test_a_torn_journal_owes_the_last_stage(folder):
    run([upper_stage()], folder)
    journal = folder / "stages.jsonl"
    journal.write_bytes(journal.read_bytes()[:-5])
    assert not run([upper_stage()], folder)[0][0].reused
    assert all(json.loads(line) for line in journal.read_text().splitlines())


def test_sigterm_is_passed_on(folder):
    wait = "import time; time.sleep(60)"
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    timer.start()
    start = time.monotonic()
    assert run_command([*PYTHON, wait], folder, "waiting", lambda line: None) == -signal.SIGTERM
    assert time.monotonic() - start < 30
    assert signal.getsignal(signal.SIGTERM) == before


def test_ctrl_c_lets_the_command_save_its_work(folder):
    child = (
        "import time, pathlib\n"
        "pathlib.Path('ready').write_text('')\n"
        "try:\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    time.sleep(1); pathlib.Path('saved').write_text('yes')\n"
    )
    parent = (
        "import sys, pathlib\n"
        "from golongrl.pipeline.demo.stages import Stage, run_stages\n"
        "run_stages([Stage('slow', '', ('x',), command=(sys.argv[1],))], pathlib.Path('.'), say=print, "
        "program=(sys.executable, '-c'))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent, child], cwd=folder, start_new_session=True, stderr=subprocess.PIPE
    )
    while not (folder / "ready").exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in error
    assert (folder / "saved").read_text() == "yes"


def test_output_is_streamed_to_stderr(folder, capfd):
    run([Stage("talks", "", (), command=("import sys; print('to out'); print('to err', file=sys.stderr)",))], folder)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == ["to out", "to err"]


def test_prepare_folder_refuses_what_no_demo_wrote(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.md").write_text("do not touch")
    with pytest.raises(UsageError, match="no demo ran there"):
        prepare_folder(tmp_path / "mine", fresh=True, say=print)
    with pytest.raises(UsageError, match="is a file"):
        prepare_folder(tmp_path / "mine/thesis.md", fresh=False, say=print)


def test_fresh_sets_the_earlier_demo_aside(tmp_path):
    demo = tmp_path / "demo-out"
    prepare_folder(demo, fresh=False, say=print)
    (demo / "stages.jsonl").write_text("")
    prepare_folder(demo, fresh=True, say=print)
    assert list(demo.iterdir()) == []
    assert (tmp_path / "demo-out.old-1/stages.jsonl").exists()


def test_settings_hold_a_model_path_with_any_characters(tmp_path):
    import tomllib

    model = tmp_path / 'a "quoted" \\ path with ü'
    settings = tomllib.loads(project_settings(model))
    config = build(TrainConfig, settings["train"])
    assert config.model == str(model)
    assert (config.device, config.steps, config.prompts_per_batch) == ("cpu", 3, 4)


def test_every_stage_reads_what_an_earlier_one_wrote(tmp_path):
    model = tmp_path / "model"
    stages = demo_stages(tmp_path, model)
    written = [str(model), "golongrl.toml"]
    for stage in stages:
        for name in stage.inputs:
            assert any(name == w or w.startswith(name + "/") or name.startswith(w + "/") for w in written), name
        written += [*stage.outputs, *([stage.folder] if stage.folder else [])]


def test_durations_are_readable():
    assert duration(7.44) == "7.4 s"
    assert duration(125) == "2 min 05 s"
