import json

import pytest
from dataset_records import make

from golongrl.core.errors import DataError
from golongrl.core.records import write_parquet
from golongrl.pipeline.dataset import versions
from golongrl.pipeline.dataset.versions import keep_unless, kept_records, merge, open_base, sides, write_changelog


def record(capability, question, gold, doc, docs=None, **info):
    made = make(capability, question, gold, docs=docs or (doc,), **info)
    made.extra_info["evidence"] = [{"doc": doc, "start": 0, "end": 4}]
    return made


def dataset(folder, train, validation=(), **facts):
    write_parquet(folder / "train.parquet", train)
    if validation:
        write_parquet(folder / "val.parquet", validation)
    (folder / "build.json").write_text(json.dumps(facts))
    return open_base(folder)


def anything(record):
    return None


def old(tmp_path):
    train = [record("T1", f"Who did number {n}?", f"x{n}", f"d{n}", index=n) for n in range(4)]
    train.append(record("T4", "How many were there?", "7", "d9", licence=["NC"], index=4))
    return dataset(tmp_path / "v1", train, [record("T1", "Who came last?", "Zoe", "v", docs=("v", "d0"), index=5)])


def test_the_first_version_is_one_and_a_base_counts_on(tmp_path):
    base = old(tmp_path)
    assert base.version == 1
    assert dataset(tmp_path / "v2", [record("T1", "Who?", "A", "d")], version_of_data=2).version == 2
    plan = merge(base, [], {"T1": 9, "T4": 9}, anything)
    assert plan.facts["version"] == 2
    assert plan.facts["base"] == {"version": 1, "digest": base.digest, "records": 6}
    assert plan.changes == []


def test_the_digest_is_that_of_the_records(tmp_path):
    same = [
        dataset(tmp_path / name, [record("T1", "Who?", gold, "d")]) for name, gold in zip("abc", "xxy", strict=True)
    ]
    assert same[0].digest == same[1].digest != same[2].digest


def test_a_folder_without_a_dataset_is_no_base(tmp_path):
    with pytest.raises(DataError, match="holds no finished dataset"):
        open_base(tmp_path)


def test_records_stay_on_their_side_and_new_ones_fill_up(tmp_path):
    base = old(tmp_path)
    fresh = [("train", record("T1", f"Who made thing {n}?", f"y{n}", f"n{n}")) for n in range(4)]
    plan = merge(base, fresh, {"T1": 7, "T4": 1}, anything)
    assert plan.kept == {"train": [0, 1, 2, 3, 4], "validation": [0]}
    assert plan.added == {"train": [0, 1], "validation": []}
    assert plan.facts["kept"] == {"T1": 5, "T4": 1}
    assert plan.facts["added"] == {"T1": 2}
    assert plan.facts["refused"] == {versions.NOT_NEEDED: 2}
    assert [r.extra_info["question"] for r in kept_records(plan, "validation")] == ["Who came last?"]
    assert [r.extra_info["index"] for r in kept_records(plan, "train")] == [0, 1, 2, 3, 4]


def test_every_removal_has_its_reason(tmp_path):
    base = old(tmp_path)

    def hit(record):
        return "overlaps with bench item 3" if "number 2" in record.extra_info["question"] else None

    keep = keep_unless({"T1", "T4"}, licences=["cc-by-4.0"], withdrawn={"d1"}, also=[hit])
    plan = merge(base, [], {"T1": 9, "T4": 9}, keep)
    assert {(change.question, change.reason) for change in plan.changes} == {
        ("Who did number 1?", "a document it shows was withdrawn"),
        ("Who did number 2?", "overlaps with bench item 3"),
        ("How many were there?", "it shows a document under NC, which is no longer allowed"),
    }
    assert plan.kept == {"train": [0, 3], "validation": [0]}
    assert plan.facts["removed"]["T1"] == {
        "a document it shows was withdrawn": 1,
        "overlaps with bench item 3": 1,
    }


def test_what_is_no_longer_wanted_or_over_quota_goes(tmp_path):
    base = old(tmp_path)
    plan = merge(base, [], {"T1": 2}, anything)
    assert plan.facts["removed"] == {"T1": {versions.OVER_QUOTA: 3}, "T4": {versions.UNWANTED: 1}}
    assert sum(map(len, plan.kept.values())) == 2
    # Which of them stay does not depend on their order.
    again = dataset(tmp_path / "other", [*kept_all(base)][::-1])
    staying = {versions.record_key(r) for split in plan.kept for r in kept_records(plan, split)}
    other = merge(again, [], {"T1": 2}, anything)
    assert {versions.record_key(r) for r in kept_records(other, "train")} == staying


def kept_all(base):
    plan = merge(base, [], {"T1": 99, "T4": 99}, anything)
    for split in plan.kept:
        yield from kept_records(plan, split)


def test_nothing_is_asked_twice(tmp_path):
    words = " ".join(f"word{n}" for n in range(60))
    base = dataset(tmp_path / "v1", [record("T1", f"Who said: {words}?", "Ann", "d1")])
    fresh = [
        ("train", record("T1", f"who  said: {words}?", "Ann", "n1")),
        ("train", record("T1", f"Who said: {words} end?", "Ann", "d1")),
        ("train", record("T1", f"Who said: {words} end?", "Ann", "n2")),
        ("train", record("T1", f"Who said: {words} end?", "Ann", "n3")),
    ]
    plan = merge(base, fresh, {"T1": 9}, anything)
    # Almost the same question about another document is another question.
    assert plan.added["train"] == [2]
    assert plan.facts["refused"] == {versions.ASKED: 2, versions.ALMOST: 1}


def test_no_document_is_on_both_sides(tmp_path):
    base = old(tmp_path)
    fresh = [
        ("train", record("T1", "Who shows the held one?", "A", "n1", docs=("n1", "v"))),
        ("validation", record("T1", "Who asks what was trained on?", "B", "d3")),
        ("validation", record("T1", "Who is fine?", "C", "n2", docs=("n2", "d3"))),
        ("train", record("T1", "Who shows the new held one?", "D", "n3", docs=("n3", "n2"))),
    ]
    plan = merge(base, fresh, {"T1": 99, "T4": 9}, anything)
    assert plan.added == {"train": [], "validation": [2]}
    assert plan.facts["refused"] == {versions.HELD: 2, versions.TRAINED: 1}


def test_evidence_of_validation_may_reach_into_documents_of_training(tmp_path):
    both = record("T1", "Who is in both?", "A", "v", docs=("v", "d0"))
    both.extra_info["evidence"].append({"doc": "d0", "start": 0, "end": 4})
    base = dataset(tmp_path / "v1", [record("T1", "Who was trained on?", "B", "d0")], [both])
    fresh = [
        ("train", record("T1", "Who else is in the shared one?", "C", "d0")),
        ("train", record("T1", "Who is in the held one?", "D", "v")),
    ]
    plan = merge(base, fresh, {"T1": 9}, anything)
    assert plan.added["train"] == [0]
    assert plan.facts["refused"] == {versions.HELD: 1}
    assert sides(base) == versions.Sides(frozenset({"v"}), frozenset({"d0"}))


def test_sides_that_the_base_has_settled(tmp_path):
    base = old(tmp_path)
    assert sides(base) == versions.Sides(frozenset({"v"}), frozenset({"d0", "d1", "d2", "d3", "d9"}))
    # A record that goes settles nothing; documents that were held out without being asked about stay so.
    rows = [{"sha256": "w", "split": "validation"}, {"sha256": "d1", "split": "train"}]
    (base.folder / "assigned.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = sides(base, keep_unless({"T1"}))
    assert found == versions.Sides(frozenset({"v", "w"}), frozenset({"d0", "d1", "d2", "d3"}))


def test_the_changelog_names_each_record(tmp_path):
    base = old(tmp_path)
    fresh = [("train", record("T1", "Who " + "very " * 200 + "much?", "y", "n1"))]
    plan = merge(base, fresh, {"T1": 6}, anything)
    write_changelog(tmp_path / "changelog.jsonl", plan)
    rows = [json.loads(line) for line in (tmp_path / "changelog.jsonl").read_text().splitlines()]
    assert rows[0]["change"] == "summary"
    assert rows[0]["version"] == 2
    assert {name: rows[1][name] for name in ("change", "split", "capability", "form", "length_bin", "reason")} == {
        "change": "removed", "split": "train", "capability": "T4", "form": "a_form", "length_bin": "1k",
        "reason": versions.UNWANTED,
    }  # fmt: skip
    assert rows[1]["key"] == versions.record_key(record("T4", "How many were there?", "7", "d9"))
    assert rows[2]["change"] == "added"
    assert rows[2]["reason"] == "T1: 6 wanted, 5 of the base stay"
    assert len(rows[2]["question"]) == 302
