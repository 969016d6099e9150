"""How many cores a process may use."""

import os

import pytest

from golongrl.core import machine


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        # Half a core more is worth another process.
        ("250000 100000\n", 3),
        ("20000 100000\n", 1),
        ("1600000 100000\n", 8),
        ("", 8),
        ("none of this", 8),
    ],
)
def test_a_containers_share_of_time_in_the_second_version_of_cgroups(tmp_path, text, cores):
    (tmp_path / "cpu.max").write_text(text)
    assert machine.usable_cores(tmp_path) == cores


@pytest.mark.parametrize("folder", ["cpu", "cpu,cpuacct"])
@pytest.mark.parametrize(
    ("quota", "period", "cores"), [("-1", "100000", 8), ("300000", "100000", 3), ("50000", "50000", 1), ("1", "0", 8)]
)
def test_a_containers_share_of_time_in_the_first_version(tmp_path, folder, quota, period, cores):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "cpu.cfs_quota_us").write_text(quota + "\n")
    (tmp_path / folder / "cpu.cfs_period_us").write_text(period + "\n")
    assert machine.usable_cores(tmp_path) == cores


def test_without_a_container_the_cores_count_that_the_process_is_bound_to(tmp_path, monkeypatch):
    assert machine.usable_cores(tmp_path) == 8
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {5})
    assert machine.usable_cores(tmp_path) == 1
