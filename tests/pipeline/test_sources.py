"""Where documents come from: folders, globs, archives and a hub; what is refused before reading, and why."""

import bz2
import dataclasses
import gzip
import hashlib
import io
import json
import lzma
import os
import pickle
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import hub_server
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.core.errors import DataError, UsageError
from golongrl.pipeline.dataset import archives
from golongrl.pipeline.dataset.charset import decode
from golongrl.pipeline.dataset.readers import RefusedError
from golongrl.pipeline.dataset.reading import parts
from golongrl.pipeline.dataset.source_file import Part, SourceFile, open_source, read_bytes
from golongrl.pipeline.dataset.sources import ON_HUB, PACKED, discard_unpacked, find_files, input_digests, rough_size

LIMIT_MB = 1.0


def found(*sources, out=None, limit=LIMIT_MB):
    """({name: content}, {name: reason}) of sources."""
    files, refused = find_files([str(source) for source in sources], limit, out)
    assert [file.name for file in files] == sorted(file.name for file in files)
    assert all(hashlib.sha256(read_bytes(file)).hexdigest() == file.sha256 for file in files)
    return {file.name: read_bytes(file) for file in files}, {r.source: r.reason for r in refused}


def licences(*sources):
    return {file.name: file.licence for file in find_files([str(source) for source in sources], LIMIT_MB)[0]}


def test_the_rough_size_counts_what_is_read(tmp_path):
    for name, size in (
        ("a.txt", 100),
        ("sub/b.md", 20),
        ("sub/deep/c.HTML", 3),
        ("d.png", 5000),
        ("e.zip", 7),
        (".f/g.txt", 99),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    assert rough_size([str(tmp_path)]) == 123 + 7 * PACKED
    assert rough_size([str(tmp_path / "a.txt"), str(tmp_path / "*" / "*.md")]) == 120
    assert rough_size(["hf://datasets/some/thing", str(tmp_path / "a.txt")]) == ON_HUB + 100
    assert rough_size([str(tmp_path / "a.txt"), str(tmp_path / "gone")]) == 0
    assert rough_size([]) == 0


def test_links_to_a_file_that_is_read_already_are_left_out(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "one" / "a.txt").write_text("a")
    (tmp_path / "two" / "b.txt").symlink_to("../one/a.txt")
    (tmp_path / "three").symlink_to("two", target_is_directory=True)
    files, refused = found(tmp_path / "one", tmp_path / "two", tmp_path / "three")
    assert (files, refused) == ({"a.txt": b"a"}, {})
    # What lies in the output folder, or beside it from an earlier time, is no source, by whatever way it is reached.
    (tmp_path / "two" / "c.txt").write_text("c")
    (tmp_path / "one.old-1").symlink_to("two", target_is_directory=True)
    assert found(tmp_path / "two", out=tmp_path / "one")[0] == {"c.txt": b"c"}
    assert found(tmp_path / "three", out=tmp_path / "one")[0] == {"c.txt": b"c"}


def test_folders_globs_and_files(tmp_path):
    for name in ("b.txt", "a.txt", "sub/c.md", ".hidden/x.txt", ".h.txt", "sub/d.png"):
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    folder = tmp_path / "docs"
    read, refused = found(folder)
    assert read == {"a.txt": b"a.txt", "b.txt": b"b.txt", "sub/c.md": b"sub/c.md"}
    assert list(refused) == ["sub/d.png"]
    assert "unknown suffix .png" in refused["sub/d.png"]
    assert list(found(folder / "*.txt")[0]) == ["a.txt", "b.txt"]
    assert list(found(folder / "**" / "*.md")[0]) == ["c.md"]
    assert list(found(folder / "a.txt", folder)[0]) == ["a.txt", "b.txt", "sub/c.md"]
    with pytest.raises(DataError, match="no such file or folder"):
        found(folder / "missing")
    with pytest.raises(DataError, match="no file matches"):
        found(folder / "*.zzz")


def test_what_cannot_be_read_is_refused_with_a_reason(tmp_path):
    (tmp_path / "large.txt").write_bytes(b"x" * 2_000_000)
    (tmp_path / "large.jsonl").write_bytes(b'{"text": "a"}\n' * 200_000)
    (tmp_path / "empty.txt").touch()
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere")
    (tmp_path / "elsewhere").symlink_to(tmp_path.parent, target_is_directory=True)
    read, refused = found(tmp_path)
    assert list(read) == ["large.jsonl"]
    assert "above max_document_mb = 1" in refused["large.txt"]
    assert refused["empty.txt"] == "empty file (0 bytes)"
    assert refused["pipe.txt"] == "not a plain file"
    assert "unreadable" in refused["gone.md"]
    assert "a link to a folder" in refused["elsewhere"]


def test_an_earlier_build_is_no_source(tmp_path):
    for folder in ("docs", "out", "out.old-1"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder}.txt").write_text("text")
    assert list(found(tmp_path, out=tmp_path / "out")[0]) == ["docs/docs.txt"]


def test_files_of_one_name_are_told_apart(tmp_path):
    for folder in ("x", "y", "z"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text(f"Text of {folder}.")
    (tmp_path / "x" / "a.txt (2)").write_text("no suffix")
    names = [file.name for file in find_files([str(tmp_path / f) for f in "xyz"], LIMIT_MB)[0]]
    assert names == ["a.txt", "a.txt (2)", "a.txt (3)"]
    there = input_digests(find_files([str(tmp_path / f) for f in "xyz"], LIMIT_MB)[0])
    assert there == input_digests(find_files([str(tmp_path / f) for f in "zxy"], LIMIT_MB)[0])


def test_licences_of_folders_and_archives(tmp_path):
    (tmp_path / "licences.toml").write_text('"a*.txt" = "CC0"\n"pack.zip!*.md" = "MIT"\n"pack.zip" = "Apache-2.0"\n')
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive:
        archive.writestr("x.md", "md")
        archive.writestr("x.txt", "txt")
    with tarfile.open(tmp_path / "own.tar.gz", "w:gz") as archive:
        for name, content in (("top/x.md", "md"), ("top/y.md", "y"), ("top/licences.toml", '"x.*" = "CC-BY-4.0"')):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content.encode()))
    assert licences(tmp_path) == {
        "a.txt": "CC0",
        "b.txt": "unknown",
        "own.tar.gz!top/x.md": "CC-BY-4.0",
        "own.tar.gz!top/y.md": "unknown",
        "pack.zip!x.md": "MIT",
        "pack.zip!x.txt": "Apache-2.0",
    }
    (tmp_path / "licences.toml").write_text('"a" = 3')
    with pytest.raises(DataError, match="must be a text"):
        licences(tmp_path)


CONTENT = {
    "one.txt": b"First text.",
    "deep/two.md": b"# Second",
    "deep/三.txt": "第三".encode(),
    "rows.jsonl": b"{}\n",
}


def write_tar(path, mode, contents):
    with tarfile.open(path, mode) as archive:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"])
def test_archive_members_are_files(tmp_path, suffix):
    path = tmp_path / f"pack{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in CONTENT.items():
                archive.writestr(name, content)
    else:
        write_tar(path, {".tar": "w", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}.get(suffix, "w:gz"), CONTENT)
    out = tmp_path / "out"
    read, refused = found(path, out=out)
    assert read == {f"pack{suffix}!{name}": content for name, content in CONTENT.items()}
    assert refused == {}
    files = find_files([str(path)], LIMIT_MB, out)[0]
    assert files == find_files([str(path)], LIMIT_MB, out)[0]
    assert {file.suffix for file in files} == {".txt", ".md", ".jsonl"}
    assert all(Path(file.path).is_file() for file in files)
    discard_unpacked(out)
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name]


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_one_compressed_file(tmp_path, suffix, pack):
    (tmp_path / f"talks.jsonl{suffix}").write_bytes(pack(b'{"text": "a"}\n'))
    (tmp_path / f"photo.png{suffix}").write_bytes(pack(b"x"))
    (tmp_path / f"large.txt{suffix}").write_bytes(pack(b"x" * 2_000_000))
    files, refused = find_files([str(tmp_path)], LIMIT_MB)
    assert [(f.name, f.stem, f.suffix) for f in files] == [(f"talks.jsonl{suffix}", "talks", ".jsonl")]
    reasons = {r.source: r.reason for r in refused}
    assert "unknown suffix .png" in reasons[f"photo.png{suffix}"]
    assert "above max_document_mb" in reasons[f"large.txt{suffix}"]


def test_hostile_zip_members_are_refused_alone(tmp_path):
    path = tmp_path / "pack.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.txt", "Good.")
        archive.writestr("../out.txt", "x")
        archive.writestr("/etc/out.txt", "x")
        archive.writestr("C:\\out.txt", "x")
        archive.writestr("inner.tar.gz", "x")
        archive.writestr("photo.png", "x")
        archive.writestr("empty.txt", "")
        archive.writestr("__MACOSX/good.txt", "x")
        archive.writestr(".hidden.txt", "x")
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "good.txt")
        bomb = zipfile.ZipInfo("bomb.jsonl")
        bomb.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(bomb, "w") as stream:
            for _ in range(archives.RATIO_FROM_BYTES // 1024**2 + 1):
                stream.write(b"\n" * 1024**2)
        archive.writestr("broken.txt", "intact content that is long enough to be damaged")
        archive.writestr("locked.txt", "secret")
    data = bytearray(path.read_bytes())
    # A flipped bit in the packed bytes of one member, and the encryption flag of another in the directory.
    at = data.index(b"broken.txt") + len("broken.txt")
    data[at + 3] ^= 0xFF
    entry = data.rindex(b"locked.txt") - 46
    data[entry + 8] |= 1
    path.write_bytes(data)
    read, refused = found(path)
    assert read == {"pack.zip!good.txt": b"Good."}
    expected = {
        "../out.txt": "leads out of the archive",
        "/etc/out.txt": "leads out of the archive",
        "C:\\out.txt": "leads out of the archive",
        "inner.tar.gz": "archive inside an archive",
        "photo.png": "unknown suffix .png",
        "empty.txt": "0 bytes",
        "link.txt": "a link or a device",
        "bomb.jsonl": "times its size",
        "broken.txt": "corrupt",
        "locked.txt": "encrypted",
    }
    assert {name.removeprefix("pack.zip!").replace("C:/", "C:\\") for name in refused} == set(expected)
    for name, words in expected.items():
        assert words in refused.get(f"pack.zip!{name}", refused.get(f"pack.zip!{name}".replace("\\", "/"), "")), name


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_hostile_tar_members_are_refused_alone(tmp_path, mode):
    path = tmp_path / ("pack.tar" if mode == "w" else "pack.tgz")
    with tarfile.open(path, mode) as archive:
        for name, kind in (
            ("link.txt", tarfile.SYMTYPE),
            ("hard.txt", tarfile.LNKTYPE),
            ("dev.txt", tarfile.CHRTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        for name in ("../up.txt", "/abs.txt", "good.txt", "inner.zip"):
            info = tarfile.TarInfo(name)
            info.size = 5
            archive.addfile(info, io.BytesIO(b"Good."))
    read, refused = found(path)
    assert read == {f"{path.name}!good.txt": b"Good."}
    assert {name.partition("!")[2] for name in refused} == {
        "link.txt", "hard.txt", "dev.txt", "../up.txt", "/abs.txt", "inner.zip"
    }  # fmt: skip


def test_damaged_archives_keep_what_was_read(tmp_path):
    write_tar(tmp_path / "whole.tar.gz", "w:gz", {"a.txt": os.urandom(50_000), "b.txt": os.urandom(200_000)})
    (tmp_path / "cut.tar.gz").write_bytes((tmp_path / "whole.tar.gz").read_bytes()[:150_000])
    (tmp_path / "whole.tar.gz").unlink()
    for name in ("no.zip", "no.tar", "no.tar.xz", "no.txt.gz"):
        (tmp_path / name).write_bytes(b"this is no archive at all")
    read, refused = found(tmp_path)
    assert list(read) == ["cut.tar.gz!a.txt"]
    assert set(refused) == {"cut.tar.gz", "no.zip", "no.tar", "no.tar.xz", "no.txt.gz"}
    assert all("corrupt archive" in reason for reason in refused.values())


def test_archive_limits(tmp_path, monkeypatch):
    write_tar(tmp_path / "a.tgz", "w:gz", {f"{i}.txt": b"%d" % i for i in range(5)})
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    read, refused = found(tmp_path)
    assert len(read) == 3
    assert "more than 3 members" in refused["a.tgz"]
    monkeypatch.undo()
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for i in range(4):
            archive.writestr(f"{i}.txt", os.urandom(1000))
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 2500)
    read, refused = found(tmp_path / "b.zip")
    assert sorted(read) == ["b.zip!0.txt", "b.zip!1.txt"]
    assert "the rest is not read" in refused["b.zip"]
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b"\n" * 2_000_000))
    monkeypatch.undo()
    monkeypatch.setattr(archives, "RATIO_FROM_BYTES", 1_000_000)
    assert "times its size" in found(tmp_path / "c.jsonl.gz")[1]["c.jsonl.gz"]


def test_names_of_windows_zips(tmp_path):
    path = tmp_path / "pack.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("abcd.txt", "Text.")
    path.write_bytes(path.read_bytes().replace(b"abcd.txt", "三国".encode("gb18030") + b".txt"))
    assert list(found(path)[0]) == ["pack.zip!三国.txt"]


@given(st.binary(max_size=300), st.integers(0, 40), st.integers(0, 260), st.lists(st.integers(0, 80), max_size=6))
def test_a_region_reads_as_a_file_of_its_own(tmp_path_factory, data, start, size, reads):
    path = tmp_path_factory.getbasetemp() / "region.bin"
    path.write_bytes(data)
    start = min(start, len(data))
    size = min(size, len(data) - start)
    inside = data[start : start + size]
    file = SourceFile(str(path), "r", "u", "", size, "r", ".bin", start)
    assert read_bytes(file) == inside
    plain = io.BytesIO(inside)
    with open_source(file) as stream:
        for count in reads:
            assert stream.read(count) == plain.read(count)
            stream.seek(count, io.SEEK_SET)
            plain.seek(count)
        stream.seek(0)
        assert list(stream) == inside.splitlines(keepends=True) or b"\r" in inside


def test_parts_are_plain_data_of_about_equal_size(tmp_path):
    for number, size in enumerate((10, 20, 30, 500, 5)):
        (tmp_path / f"{number}.txt").write_text("x" * size)
    (tmp_path / "9.jsonl").write_text("".join(f'{{"text": "row {i}"}}\n' for i in range(20)))
    files = find_files([str(tmp_path)], LIMIT_MB)[0]
    made = parts(files, 100)
    assert [[file.name for file in part.files] for part in made[:3]] == [
        ["0.txt", "1.txt", "2.txt"],
        ["3.txt"],
        ["4.txt"],
    ]
    assert len(made) > 5
    assert all(part.files[0].name == "9.jsonl" for part in made[3:])
    for part in made:
        assert pickle.loads(pickle.dumps(part)) == part
        assert Part.from_job(json.loads(json.dumps(dataclasses.asdict(part)))) == part


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_encodings(encoding):
    text = "天下大势，分久必合，合久必分。周末七国分争，并入于秦。及秦灭之后，楚、汉分争，又并入于汉。" * 5
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_its_mark_is_read_where_it_is_mostly_latin(encoding):
    text = "\u201cThe bay \u2014 as she said \u2014 was calm.\u201d 海 \u3000 caf\u00e9 \u20ac5\r\n" * 20
    assert decode(text.encode(encoding)) == text
    with pytest.raises(RefusedError, match="UTF-16 needs its byte order mark"):
        decode(("海湾今天很平静。\n" * 20).encode(encoding))


def test_samples_of_sound_and_tables_of_numbers_are_no_utf16():
    for numbers in (range(0, 30), (n * n for n in range(200))):
        with pytest.raises(RefusedError, match="binary"):
            decode(b"".join(n.to_bytes(2, "little") for n in numbers) * 20)


@pytest.mark.parametrize(
    "text",
    [
        "Plain words only. " * 20_000 + "Caf\u00e9 prices rose to \u20ac5, \u201cquite so\u201d.",
        "The bay is calm. " * 9 + "Caf\u00e9s close. " + "The nets are dry. " * 9,
        "It\u2019s the harbour\u2019s \u2014 not the bay\u2019s \u2014 best year; \u00a35 a net\u2026 " * 3,
    ],
)
def test_english_with_few_letters_beyond_ascii_is_cp1252(text):
    assert decode(text.encode("cp1252")) == text


def test_utf8_with_a_broken_byte_is_refused_and_not_read_as_something_else():
    text = "It\u2019s the bay\u2019s best year. ".encode() * 20
    with pytest.raises(RefusedError, match="not UTF-8"):
        decode(text + b"caf\xe9 " + text)


def test_a_page_names_its_encoding():
    page = '<html><head><meta charset="{}"></head><body>{}</body></html>'
    assert decode(page.format("gb2312", "第一章").encode("gb18030"), html=True) == page.format("gb2312", "第一章")
    assert "café —" in decode(page.format("iso-8859-1", "café —").encode("cp1252"), html=True)


def test_undecodable_bytes_are_refused():
    with pytest.raises(RefusedError, match="undecodable"):
        decode("text ".encode("utf-16")[:-1])
    with pytest.raises(RefusedError, match="binary"):
        decode(b"\x00\x01\x02" * 50)


@pytest.mark.parametrize(
    ("name", "advice"),
    [("a.ipynb", "jupyter nbconvert --to markdown"), ("a.doc", "save it as .docx"), ("a.txt.zst", "unpack it")],
)
def test_files_of_formats_that_are_not_read_say_what_to_do(tmp_path, name, advice):
    (tmp_path / name).write_bytes(b"x")
    reason = found(tmp_path)[1][name]
    assert reason.startswith(f"unknown suffix {Path(name).suffix}; ")
    assert advice in reason


SHA = "0123456789abcdef0123456789abcdef01234567"
REPO = {
    "README.md": b"---\nlicense: [mit, cc-by-4.0]\n---\n",
    ".gitattributes": b"x",
    "data/a.txt": b"Text of a.",
    "data/b.jsonl": b'{"text": "Row."}\n',
    "data/big.txt": b"x" * 2_000_000,
    "images/photo.png": b"x",
    "more/c.md": b"# C",
}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with hub_server.start(monkeypatch, tmp_path / "cache", {"org/talks": REPO}, SHA) as server:
        server.refused["org/gated"] = (403, "GatedRepo")
        yield server


def test_a_data_set_of_the_hub(hub):
    prefix = f"hf://datasets/org/talks@{SHA}/"
    files, refused = find_files(["hf://datasets/org/talks"], LIMIT_MB)
    assert [file.name for file in files] == [prefix + name for name in ("data/a.txt", "data/b.jsonl", "more/c.md")]
    assert {file.licence for file in files} == {"mit OR cc-by-4.0"}
    assert read_bytes(files[0]) == b"Text of a."
    assert [r.source for r in refused] == [prefix + "data/big.txt"]
    assert hub.fetched == [f"org/talks@{SHA}/{name}" for name in ("data/a.txt", "data/b.jsonl", "more/c.md")]


@pytest.mark.parametrize(
    ("tail", "names"),
    [
        ("@v1/data/a.txt", ["data/a.txt"]),
        ("/more", ["more/c.md"]),
        ("@main/*.jsonl", ["data/b.jsonl"]),
        ("/README.md", ["README.md"]),
    ],
)
def test_revisions_paths_and_globs(hub, tail, names):
    files, _ = find_files([f"hf://datasets/org/talks{tail}"], LIMIT_MB)
    assert [file.name.removeprefix(f"hf://datasets/org/talks@{SHA}/") for file in files] == names


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("hf://datasets/org/missing", DataError, "no such data set"),
        ("hf://datasets/org/gated", DataError, "gated"),
        ("hf://datasets/org/talks@v9", DataError, "no such revision"),
        ("hf://datasets/org/talks/data/z.txt", DataError, "no file of that name"),
        ("hf://datasets/org/talks/images", DataError, "no file that can be read"),
        ("hf://datasets/org", UsageError, "hf://datasets/ORG/NAME"),
        ("hf://models/org/name", UsageError, "hf://datasets/ORG/NAME"),
    ],
)
def test_what_the_hub_does_not_give(hub, source, error, words):
    with pytest.raises(error, match=words):
        find_files([source], LIMIT_MB)


def test_a_hub_that_cannot_be_reached():
    # In a process of its own: huggingface_hub reads these settings when it is imported.
    code = (
        "from golongrl.core.errors import ServerError\n"
        "from golongrl.pipeline.dataset.sources import find_files\n"
        "try:\n    find_files(['hf://datasets/org/talks'], 1)\n"
        "except ServerError as error:\n    print(error)\n"
    )
    for settings in ({"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        environment = {**os.environ, **settings}
        shown = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert "cannot be reached" in shown.stdout
