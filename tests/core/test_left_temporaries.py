"""What killed processes left of files they were writing goes when the folder is written to again."""

import os
import signal
import subprocess
import sys

from golongrl.core.runs import only_writer
from golongrl.core.store import atomic_path, discard_temporaries

KILLED = """
import os, signal, sys
from golongrl.core.store import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_goes_and_what_a_living_one_writes_stays(tmp_path):
    target = tmp_path / "report.html"
    done = subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    (tmp_path / ".notes.tmp").write_text("not ours")
    with atomic_path(target) as temporary:
        temporary.write_text("whole")
        discard_temporaries(tmp_path)
        assert temporary.exists()
        assert not left.exists()
    assert sorted(os.listdir(tmp_path)) == [".notes.tmp", "report.html"]
    assert target.read_text() == "whole"


def test_the_only_writer_of_a_folder_starts_without_leftovers(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "manifest.json")], check=False)
    with only_writer(tmp_path, "eval"):
        assert sorted(os.listdir(tmp_path)) == [".lock"]
