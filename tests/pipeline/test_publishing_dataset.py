"""A dataset before it is published: each check passes for what build-dataset writes, and fails with what to do."""

import json
import subprocess
import sys
import tomllib

import local_hub
import pytest
from publishable import check_rewards, copied, dataset, records
from test_publishing import REPO, Bar, publish

from golongrl.core.errors import DataError
from golongrl.core.records import write_parquet
from golongrl.pipeline.dataset.sources import find_files
from golongrl.pipeline.publishing import cards
from golongrl.pipeline.publishing.dataset import pack
from golongrl.pipeline.publishing.parcel import Facts


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return dataset(tmp_path_factory.mktemp("made") / "talks")


@pytest.fixture
def folder(made, tmp_path):
    return copied(made, tmp_path / "talks")


def problems(folder, **facts):
    """Check -> its problems, of the checks that failed."""
    return {check.name: check.problems for check in pack(folder, Facts(**facts), Bar).checks if check.problems}


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_build_dataset_writes_passes(folder):
    parcel = pack(folder, Facts(), Bar)
    assert {check.name: check.problems for check in parcel.checks} == {
        "records readable": [],
        "card complete": [],
        "licence set": [],
        "rewards audited": [],
        "no secrets": [],
        "no local paths": [],
    }
    assert parcel.left_out == ["config.json", "train.audit/", "val.audit/"]
    assert ".lock" not in parcel.files
    settings = tomllib.loads(parcel.files["golongrl.toml"].text())
    assert settings == {"train": {"data": "train.parquet", "model": "base", "prompts_per_batch": 64}}


def test_a_link_out_of_the_folder_is_not_followed(folder, tmp_path):
    (folder / "NOTICE").symlink_to(folder / "build.json")
    assert pack(folder, Facts(), Bar).files["NOTICE"].text() == (folder / "build.json").read_text()
    outside = tmp_path / "diary.txt"
    outside.write_text("not for anybody")
    (folder / "LICENSE").symlink_to(outside)
    with pytest.raises(DataError, match=r"LICENSE is a link out of .*; put the file itself there"):
        pack(folder, Facts(), Bar)


def test_the_card_tells_of_the_audit_and_is_the_same_every_time(folder):
    first, second = (pack(folder, Facts(), Bar).files["README.md"].text() for _ in range(2))
    assert first == second
    assert "| train.parquet | 8 | 8 |" in first
    # A folder that was downloaded from the hub already has the section.
    (folder / "README.md").write_text(first)
    assert pack(folder, Facts(), Bar).files["README.md"].text() == first


def test_a_dataset_that_was_downloaded_carries_its_audits(folder):
    files = pack(folder, Facts(), Bar).files
    for name in ("train", "val"):
        (folder / f"{name}.audit" / "audit.json").unlink()
    assert set(problems(folder)) == {"rewards audited"}
    (folder / "audit").mkdir()
    for path, content in files.items():
        if path.startswith("audit/"):
            (folder / path).write_text(content.text())
    assert problems(folder) == {}
    assert pack(folder, Facts(), Bar).files.keys() == files.keys()


def test_the_metadata_of_a_parquet_file_are_searched(folder):
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(folder / "train.parquet")
    about = {**(table.schema.metadata or {}), b"source": b"/home/ann/build.py"}
    pyarrow.parquet.write_table(table.replace_schema_metadata(about), folder / "train.parquet")
    check_rewards(folder, "train")
    [problem] = problems(folder)["no local paths"]
    assert "train.parquet names paths of a machine: /home/ann/build.py (file metadata, field source" in problem


def test_the_published_audit_names_no_path_of_this_machine(folder):
    report = json.loads(pack(folder, Facts(), Bar).files["audit/train.parquet.json"].text())
    assert report["data"] == "train.parquet"
    assert report["passed"]
    assert "out" not in report


def test_a_row_that_is_no_record_is_named(folder):
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(folder / "train.parquet").to_pylist()
    table[2]["reward_model"]["ground_truth"] = None
    table[5]["extra_info"]["metric"] = table[5]["data_source"] = "unheard"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table), folder / "train.parquet")
    found = problems(folder)["records readable"]
    assert found[0].startswith("train.parquet row 3, field reward_model.ground_truth")
    assert found[1].startswith("train.parquet row 6: no metric is known")


def test_a_damaged_parquet_file_is_named(folder):
    (folder / "val.parquet").write_bytes(b"PAR1 but nothing else")
    assert "not a readable parquet file" in problems(folder)["records readable"][0]


def test_an_audit_of_other_data_proves_nothing(folder):
    write_parquet(folder / "train.parquet", records(0, 4)[::-1])
    [problem] = problems(folder)["rewards audited"]
    assert problem.startswith(
        "train.parquet: its rewards were not audited, or it has changed since; run: golongrl ver"
    )
    check_rewards(folder, "train")
    assert problems(folder) == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"passed": False, "problems": ["2 attacks pay"]}, r"its audit failed \(2 attacks pay\)"),
        ({"checked": 3}, "only 3 of 8 rows were audited"),
        ({"probes": []}, "left the attacks out"),
    ],
)
def test_an_audit_that_failed_or_was_partial_is_none(folder, change, words):
    path = folder / "train.audit" / "audit.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(problems(folder)["rewards audited"][0])


def test_a_missing_card_a_card_without_metadata_and_broken_metadata(folder):
    readme = folder / "README.md"
    text = readme.read_text()
    readme.unlink()
    assert "holds no README.md" in problems(folder)["card complete"][0]
    readme.write_text("# Title\n\nShort.\n")
    found = problems(folder)
    assert "README.md has no 'license' in its metadata; add it between the --- lines" in found["card complete"]
    assert any("less than 200 characters" in problem for problem in found["card complete"])
    assert any("no section 'Funnel'" in problem for problem in found["card complete"])
    assert "no licence is set" in found["licence set"][0]
    readme.write_text(text.replace("license:", "license: [unclosed"))
    assert "not YAML" in problems(folder)["card complete"][0]


def test_a_card_that_names_other_files_than_there_are(folder):
    edit(folder / "README.md", "val.parquet", "validation-*.parquet")
    found = problems(folder)["card complete"]
    assert "README.md names the data validation-*.parquet, and there is none; mend its configs" in found
    assert "no config of README.md names val.parquet; add it, or take it away" in found


def test_a_card_that_was_written_for_other_records(folder):
    write_parquet(folder / "train.parquet", records(0, 4)[:-1])
    check_rewards(folder, "train")
    assert problems(folder)["card complete"] == [
        "README.md was written for 8 records of the split train, and train.parquet holds 7; build it again"
    ]


def test_a_licence_that_nobody_knows_must_be_said(folder):
    edit(folder / "README.md", 'license: "cc-by-4.0"', 'license: "other"')
    edit(folder / "build.json", '"CC-BY-4.0": {', '"unknown": {')
    [problem] = problems(folder)["licence set"]
    assert "1 documents have no known one; pass --license NAME" in problem
    assert problems(folder, licence="cc0-1.0") == {}
    text = pack(folder, Facts(licence="cc0-1.0"), Bar).files["README.md"].text()
    assert "license: cc0-1.0" in text
    assert "license_name: see-card" in pack(folder, Facts(licence="other"), Bar).files["README.md"].text()


def test_several_known_licences_are_other_with_a_name(folder):
    edit(folder / "README.md", 'license: "cc-by-4.0"', 'license: "other"')
    assert problems(folder) == {}
    card = cards.parse(pack(folder, Facts(), Bar).files["README.md"].text(), "dataset")
    assert (card.data.license, card.data.license_name) == ("other", "several")


def test_secrets_and_paths_in_a_parquet_column_are_named_by_row_and_field(folder):
    found = records()
    found[1].prompt[0].content += " AKIA" + "Z" * 16
    found[2].extra_info["doc_source"] = ["/home/ann/books/a.txt"]
    write_parquet(folder / "train.parquet", found)
    check_rewards(folder, "train")
    failed = problems(folder)
    assert "train.parquet holds a secret: AWS key (row 2, field prompt.content)" in failed["no secrets"][0]
    assert "/home/ann/books/a.txt (row 3, field extra_info.doc_source)" in failed["no local paths"][0]


def test_a_dataset_of_jsonl_files_made_elsewhere(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    rows = [record.model_dump() for record in records()]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    about = {
        "license": "mit", "language": ["en"], "task_categories": ["question-answering"], "size_categories": ["n<1K"],
        "configs": [{"config_name": "default", "data_files": "rows.jsonl"}],
    }  # fmt: skip
    (folder / "README.md").write_text(f"---\n{json.dumps(about)}\n---\n# Own data\n\n{'About it. ' * 30}\n")
    from golongrl.rewards.audit import audit

    assert audit(folder / "rows.jsonl", costly=False, out=folder / "rows.audit").passed
    parcel = pack(folder, Facts(), Bar)
    assert all(check.passed for check in parcel.checks), parcel.checks
    assert sorted(parcel.files) == ["README.md", "audit/rows.jsonl.json", "rows.jsonl"]


LOAD = f"""
import datasets
loaded = datasets.load_dataset("{REPO}")
print({{split: len(rows) for split, rows in loaded.items()}}, loaded["train"][0]["extra_info"]["capability"])
"""


def test_what_was_pushed_is_loaded_back_by_datasets_and_by_the_build(folder, tmp_path, monkeypatch):
    with local_hub.serve() as hub:
        local_hub.use(monkeypatch, hub, tmp_path / "home")
        publish(folder)
        done = subprocess.run(
            [sys.executable, "-c", LOAD], capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path
        )
        assert done.stdout.strip() == "{'train': 8, 'validation': 4} T1", done.stderr
        files, refused = find_files([f"hf://datasets/{REPO}/*.jsonl"], 40.0)
        assert not refused
        [file] = files
        commit = hub.repos["dataset", REPO].branches["main"]
        assert file.name == f"hf://datasets/{REPO}@{commit}/documents.jsonl"
        assert file.licence == "cc-by-4.0"
