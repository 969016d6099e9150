import contextlib
import errno
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core.errors import DataError, StorageError
from golongrl.core.store import (
    Journal,
    atomic_path,
    content_key,
    file_sha256,
    read_journal,
    read_jsonl,
    storage_errors,
    write_json,
    write_text,
)


def in_a_new_process(code: str, *args: object, **kwargs) -> subprocess.CompletedProcess[str]:
    """Run code in its own interpreter: resource limits hold for the process that sets them."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **kwargs)


# --- content keys and digests ---


def test_content_key_is_the_head_of_the_sha256_of_compact_json():
    # printf '["a",{"x":1,"y":2}]' | sha256sum
    assert content_key("a", {"y": 2, "x": 1}) == "76024a7704cefef573fb79ee60530596"
    assert content_key("a", "b") != content_key("ab")
    assert content_key(["a", "b"]) != content_key("a", "b")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
)


@given(st.lists(JSON, max_size=3))
def test_content_keys_do_not_depend_on_what_writes_the_json(parts):
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert content_key(*parts) == hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def test_every_character_is_written_alike():
    text = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
    written = json.dumps([text], ensure_ascii=False, separators=(",", ":")).encode()
    assert content_key(text) == hashlib.sha256(written).hexdigest()[:32]


def test_file_sha256_of_abc(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert file_sha256(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# --- JSONL ---


def test_only_newlines_end_a_line(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_bytes('{"t": "a\u2028b\u0085c\u2029d\\u001ce"}\n\n{"t": 2}\r\n{"t": 3}'.encode())
    assert list(read_jsonl(file)) == [(1, {"t": "a\u2028b\u0085c\u2029d\x1ce"}), (3, {"t": 2}), (4, {"t": 3})]


def test_a_byte_order_mark_is_skipped(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"a": 1}\n')
    assert list(read_jsonl(file)) == [(1, {"a": 1})]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a": 1}\n{"a": \n', "line 2 is not JSON"),
        (b'{"a": 1}\n[1]\n', "line 2 is a JSON list, expected an object"),
        (b'{"a": ' + b"[" * 100_000 + b"\n", "line 1 is not JSON (nested too deeply)"),
        (b'{"a": 1}\n\n{"a": "\xff"}\n', "line 3 is not UTF-8 (byte 7 of the line)"),
        ('{"a": "中"}'.encode("utf-16"), "line 1 is not UTF-8"),
        ('{"a": "中文"}'.encode("gbk"), "line 1 is not UTF-8"),
    ],
)
def test_a_bad_line_is_named(tmp_path, data, expected):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(data)
    with pytest.raises(DataError) as caught:
        list(read_jsonl(file))
    assert str(file) in str(caught.value)
    assert expected in str(caught.value)


def test_rows_before_a_bad_line_arrive(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"a": 1}\nbroken\n')
    rows = read_jsonl(file)
    assert next(rows) == (1, {"a": 1})
    with pytest.raises(DataError):
        next(rows)


# --- atomic files ---


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    file = tmp_path / "result.json"
    write_json(file, {"score": 1})

    def stop_half_way() -> None:
        with atomic_path(file) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        stop_half_way()
    assert json.loads(file.read_text()) == {"score": 1}
    assert os.listdir(tmp_path) == ["result.json"]


def test_a_value_that_json_cannot_hold_leaves_the_old_file(tmp_path):
    file = tmp_path / "result.json"
    write_json(file, [1])
    with pytest.raises(TypeError):
        write_json(file, object())
    assert json.loads(file.read_text()) == [1]


def test_readers_see_the_old_or_the_new_text_and_nothing_else(tmp_path):
    file = tmp_path / "state"
    texts = {"a" * 100_000, "b" * 200_000}
    write_text(file, "a" * 100_000)
    stop = threading.Event()

    def write():
        while not stop.is_set():
            for text in texts:
                write_text(file, text)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    seen = [file.read_text() in texts for _ in range(200)]
    stop.set()
    for writer in writers:
        writer.join()
    assert all(seen)
    assert os.listdir(tmp_path) == ["state"]


def test_folders_are_made_and_a_file_in_their_way_is_named(tmp_path):
    write_text(tmp_path / "a" / "b" / "c", "x")
    assert (tmp_path / "a" / "b" / "c").read_text() == "x"
    with pytest.raises(StorageError, match=r"cannot write .*Not a directory; choose another --out"):
        write_text(tmp_path / "a" / "b" / "c" / "d" / "e", "x")
    with pytest.raises(StorageError, match="cannot write"):
        write_text(tmp_path / "a" / "b", "x")


def test_only_write_failures_become_storage_errors(tmp_path):
    with pytest.raises(FileNotFoundError), storage_errors(tmp_path):
        open(tmp_path / "missing")  # noqa: SIM115
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        with pytest.raises(StorageError, match="no space left while writing X"), storage_errors("X"):
            raise OSError(number, os.strerror(number))


def test_dev_full_is_a_storage_error():
    with pytest.raises(StorageError, match=r"no space left while writing /dev/full .*finished work is kept"):  # noqa: SIM117
        with storage_errors("/dev/full"), open("/dev/full", "wb", buffering=0) as handle:
            handle.write(b"x")


# --- journal ---


def test_rows_come_back_and_the_last_of_a_key_wins(tmp_path):
    with Journal(tmp_path / "deep" / "j.jsonl") as journal:
        journal.append("k1", value=1)
        journal.append("k2", text="中\u2028\n")
        journal.append("k1", value=3)
        assert len(journal) == 2
    with Journal(tmp_path / "deep" / "j.jsonl") as journal:
        assert journal.get("k1") == {"key": "k1", "value": 3}
        assert journal.get("k2") == {"key": "k2", "text": "中\u2028\n"}
        assert journal.get("k3") is None
        assert "k2" in journal
        assert "k3" not in journal
    assert (tmp_path / "deep" / "j.jsonl").read_bytes().count(b"\n") == 3


def test_rows_can_stay_on_disk(tmp_path):
    with Journal(tmp_path / "j.jsonl", on_disk=True) as journal:
        for key, text in (("a", "灯 one"), ("b", "half \ud800"), ("a", "two")):
            journal.append(key, text=text)
        assert journal.get("a") == {"key": "a", "text": "two"}
        assert (len(journal), "b" in journal, journal.get("c"), journal.rows) == (2, True, None, {})
    with open(tmp_path / "j.jsonl", "ab") as handle:
        handle.write(b'{"key": "torn')
    with Journal(tmp_path / "j.jsonl", on_disk=True) as journal:
        journal.append("d", text="three")
        found = {key: journal.get(key) for key in "abd"}
    assert [row["text"] for row in found.values()] == ["two", "half \ud800", "three"]


def test_half_a_character_from_a_model_survives(tmp_path):
    with Journal(tmp_path / "j") as journal:
        journal.append("k", text="\ud83d")
    with Journal(tmp_path / "j") as journal:
        assert journal.get("k") == {"key": "k", "text": "\ud83d"}
    assert list(read_journal(tmp_path / "j")) == [{"key": "k", "text": "\ud83d"}]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(st.text(max_size=5), st.dictionaries(st.sampled_from("abc"), json_values)), max_size=8),
    data=st.data(),
)
def test_a_file_cut_anywhere_loses_its_torn_row_only(tmp_path_factory, rows, data):
    file = tmp_path_factory.mktemp("cut") / "j.jsonl"
    ends, kept = [0], []
    with Journal(file) as journal:
        for key, row in rows:
            journal.append(key, **row)
            ends.append(file.stat().st_size)
            kept.append({"key": key, **row})
    cut = data.draw(st.integers(0, ends[-1]))
    os.truncate(file, cut)
    whole = sum(end <= cut for end in ends[1:])
    with Journal(file) as journal:
        assert journal.rows == {row["key"]: row for row in kept[:whole]}
        journal.append("next", n=1)
    with Journal(file) as journal:
        assert journal.rows == {row["key"]: row for row in [*kept[:whole], {"key": "next", "n": 1}]}


@pytest.mark.parametrize("data", [b"hello\n", b'{"a": 1}\n', b"[1]\n", b"\xff\n", b"7\n", b"\n"])
def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path, data):
    file = tmp_path / "j.jsonl"
    file.write_bytes(b'{"key":"a"}\n' + data + b"torn")
    with pytest.raises(DataError, match=r"j.jsonl line 2 is not a journal row"):
        Journal(file)
    assert file.read_bytes() == b'{"key":"a"}\n' + data + b"torn"


def test_threads_never_mix_their_rows(tmp_path):
    def work(thread: int) -> None:
        for i in range(100):
            journal.append(f"{thread}-{i}", text="x" * random.randint(1, 3000))

    with Journal(tmp_path / "j") as journal:
        threads = [threading.Thread(target=work, args=(t,)) for t in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(journal) == 800
    with Journal(tmp_path / "j") as again:
        assert again.rows == journal.rows


def test_a_closed_journal_takes_nothing(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.close()
    with pytest.raises(ValueError, match="closed"):
        journal.append("k")
    assert "k" not in journal


APPEND_FOREVER = """
import sys
from golongrl.core.store import Journal

journal = Journal(sys.argv[1])
size = int(sys.argv[2])
number = len(journal)
while True:
    journal.append(str(number), text="x" * (number * 7919 % size))
    print(number, flush=True)
    number += 1
"""


def test_kill_9_at_random_moments_loses_no_acknowledged_row(tmp_path):
    file = tmp_path / "j.jsonl"
    random.seed(7)
    acknowledged = -1
    for size in (10, 5_000, 500_000, 2_000_000):
        writer = subprocess.Popen(
            [sys.executable, "-c", APPEND_FOREVER, str(file), str(size)], stdout=subprocess.PIPE, text=True
        )
        first = writer.stdout.readline()
        time.sleep(random.uniform(0, 0.05))
        os.kill(writer.pid, signal.SIGKILL)
        printed = [first, *writer.stdout]
        writer.stdout.close()
        assert writer.wait() == -signal.SIGKILL
        # A number that was itself cut off while being printed is no acknowledgement.
        whole = [int(line) for line in printed if line.endswith("\n")]
        assert whole == list(range(acknowledged + 1, acknowledged + 1 + len(whole)))
        with Journal(file) as journal:
            rows = journal.rows
        assert set(map(str, range(whole[-1] + 1))) <= set(rows)
        # The row in flight may have been written without having been acknowledged yet.
        assert len(rows) <= whole[-1] + 2
        assert all(row["text"] == "x" * len(row["text"]) for row in rows.values())
        acknowledged = len(rows) - 1


FILL = """
import resource, sys
from golongrl.core.errors import StorageError
from golongrl.core.store import Journal, write_text, file_sha256

folder = sys.argv[1]
write_text(folder + "/small", "old")
journal = Journal(folder + "/j.jsonl")
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
number = 0
try:
    while True:
        journal.append(str(number), text="x" * 300)
        number += 1
except StorageError as error:
    print(error.exit_code, error)
try:
    write_text(folder + "/small", "new" * 10_000)
except StorageError as error:
    print(error.exit_code, error)
try:
    journal.append(str(number), text="x" * 300)
except StorageError:
    print("still full")
assert str(number) not in journal
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append("after", text="y")
print(number, len(journal))
"""


def test_a_file_at_its_size_limit_keeps_what_is_finished_and_goes_on_when_there_is_space(tmp_path):
    done = in_a_new_process(FILL, tmp_path)
    assert done.returncode == 0, done.stderr
    full_journal, full_file, still, counts = done.stdout.splitlines()
    assert full_journal.startswith(f"3 no space left while writing {tmp_path / 'j.jsonl'}")
    assert full_file.startswith(f"3 no space left while writing {tmp_path / 'small'}")
    assert still == "still full"
    # {"key":"N","text":"xxx..."} and a newline: 322 bytes below ten, 323 from there on; 12 of them fit in 4096.
    assert counts == "12 13"
    assert (tmp_path / "small").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["j.jsonl", "small"]
    with Journal(tmp_path / "j.jsonl") as journal:
        assert list(journal.rows) == [*map(str, range(12)), "after"]


@contextlib.contextmanager
def small_disk(folder: Path):
    """A file system of 64 KiB; skips where mounting is not allowed."""
    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux")
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "golongrl-test", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_what_is_finished_and_goes_on_when_there_is_space(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        write_text(disk / "report", "old")
        (disk / "ballast").write_bytes(b"x" * 16_384)
        with Journal(disk / "j.jsonl") as journal:

            def fill() -> None:
                for number in range(1000):
                    journal.append(str(number), text="x" * 1000)

            with pytest.raises(StorageError, match="no space left while writing"):
                fill()
            finished = list(journal.rows)
            assert 30 < len(finished) < 50
            with pytest.raises(StorageError, match="no space left"):
                write_text(disk / "report", "new" * 10_000)
            assert (disk / "report").read_text() == "old"
            (disk / "ballast").unlink()
            journal.append("after", text="y" * 5000)
        with Journal(disk / "j.jsonl") as journal:
            assert list(journal.rows) == [*finished, "after"]
        assert sorted(os.listdir(disk)) == ["j.jsonl", "report"]


def test_parquet_on_a_full_disk_leaves_the_old_file(tmp_path):
    from golongrl.core.records import Record, read_records, write_parquet

    def record(text: str) -> Record:
        return Record.model_validate(
            {
                "data_source": "EM",
                "prompt": [{"role": "user", "content": text}],
                "reward_model": {"ground_truth": "gold"},
            }
        )

    noise = random.Random(0)
    with small_disk(tmp_path / "disk") as disk:
        write_parquet(disk / "train.parquet", [record("old")])
        with pytest.raises(StorageError, match=r"no space left while writing .*train.parquet"):
            write_parquet(disk / "train.parquet", [record(noise.randbytes(1000).hex()) for _ in range(200)])
        assert [r.prompt[0].content for r in read_records(disk / "train.parquet")] == ["old"]
        assert os.listdir(disk) == ["train.parquet"]


def test_a_journal_that_is_only_written_holds_no_rows_but_cuts_its_torn_tail(tmp_path):
    path = tmp_path / "log.jsonl"
    with Journal(path, keep_rows=False) as journal:
        journal.append("a", n=1)
        assert len(journal) == 0
    with open(path, "ab") as handle:
        handle.write(b'{"key": "b", "n')
    with Journal(path, keep_rows=False) as journal:
        journal.append("b", n=2)
    with Journal(path) as journal:
        assert journal.rows == {"a": {"key": "a", "n": 1}, "b": {"key": "b", "n": 2}}
