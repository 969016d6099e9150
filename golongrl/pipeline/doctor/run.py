"""`golongrl doctor`: everything that the work asked for needs of this machine, checked and named with its fix."""

from pathlib import Path

from golongrl.core.errors import DataError, GolongrlError
from golongrl.core.records import read_records
from golongrl.pipeline.doctor import network, packages, system
from golongrl.pipeline.doctor.config import DoctorConfig
from golongrl.pipeline.doctor.findings import Finding
from golongrl.rewards import pool


def examine(config: DoctorConfig) -> list[Finding]:
    """All findings, in the order of their groups. Raises DataError for a dataset that cannot be read."""
    found: list[Finding] = []
    for purpose in config.purposes:
        parts = [
            *system.check(purpose, Path(config.folder)),
            *packages.check(purpose, config.rollout, config.server_python),
            *network.check(purpose, config.hub),
        ]
        # The same fact for several purposes is said once, as the one that asks most of it.
        for finding in parts:
            _put(found, finding)
    found.append(_math())
    longest, data = longest_record(config.data) if config.data is not None else (None, None)
    if data is not None:
        found.append(data)
    if config.base_url is not None:
        need = None if longest is None else longest + config.max_output
        found += network.check_endpoint(config.base_url, config.model, need)
    return found


def _put(found: list[Finding], finding: Finding) -> None:
    order = ("ok", "note", "missing")
    for place, earlier in enumerate(found):
        if (earlier.group, earlier.name) == (finding.group, finding.name):
            if order.index(finding.status) > order.index(earlier.status):
                found[place] = finding
            return
    found.append(finding)


def longest_record(path: str) -> tuple[int | None, Finding]:
    """The most tokens of a record's prompt as build-dataset counted them (None without counts), and a finding."""
    lengths = [record.extra_info.get("n_tokens") for record in read_records(path)]
    counted = [length for length in lengths if isinstance(length, int)]
    if not lengths:
        raise DataError(f"{path} holds no record; build it with golongrl build-dataset")
    if not counted:
        return None, Finding(
            "data", path, f"{len(lengths):,} records without n_tokens", "note", "rebuild the dataset"
        )
    longest = max(counted)
    return longest, Finding("data", path, f"{len(lengths):,} records, the longest prompt has {longest:,} tokens")


def _math() -> Finding:
    """Whether mathematical answers can be compared: the one reward that needs processes of its own."""
    group, name, fix = "rewards", "math comparison", packages.FIXES["math-verify"]
    try:
        verdict = pool.verdict(r"\frac{1}{2} x", "x/2")
    except GolongrlError as error:
        return Finding(group, name, "its worker does not start", "missing", str(error))
    if verdict.equal:
        return Finding(group, name, "works, in worker processes")
    return Finding(
        group, name, f"x/2 is not found equal to itself ({verdict.problem or verdict.reason})", "missing", fix
    )


def healthy(found: list[Finding]) -> bool:
    """Whether nothing that is needed is missing."""
    return all(finding.status != "missing" for finding in found)
