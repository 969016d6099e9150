"""Speed and memory of `golongrl build-dataset` on mixed text: txt, Markdown, HTML, CSV tables and JSONL dialogues in
English and Chinese, made of the documentation that Python and its packages carry.

Peers, in the same run: reading and exact token counting alone (the floor of any builder), and
`datasets.load_dataset("text")` with the `tokenizers` library mapped over it. Each run is a process of its own; peak
memory is that of its largest process.
Run: python benchmarks/dataset.py [--mb 200] [--target 500] [--tokenizer FOLDER]
"""

import argparse
import json
import os
import platform
import pydoc_data.topics
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from qwen_tokenizer import write_tokenizer

WORDS = re.compile(r"\S+")
SENTENCES = 40_000


def sentences() -> list[str]:
    """English sentences of the language reference and of package descriptions."""
    texts = list(pydoc_data.topics.topics.values())
    for path in sorted(Path(sys.prefix).rglob("*.dist-info/METADATA"))[:120]:
        texts.append(path.read_text(encoding="utf-8", errors="replace").partition("\n\n")[2])
    found = []
    for text in texts:
        for paragraph in text.split("\n\n"):
            joined = " ".join(WORDS.findall(paragraph))
            found += [part for part in re.split(r"(?<=[.!?]) (?=[A-Z])", joined) if 30 <= len(part) <= 400]
    return sorted(set(found))[:SENTENCES]


def chinese_words() -> list[str]:
    """Words of jieba's dictionary."""
    import jieba

    lines = (Path(jieba.__file__).parent / "dict.txt").read_text(encoding="utf-8").splitlines()
    return [line.split(" ")[0] for line in lines if int(line.split(" ")[1]) > 200]


class Writer:
    """Documents of every kind, each a new mixture, so that none is a copy of another."""

    def __init__(self, folder: Path):
        self.folder, self.rng, self.number = folder, random.Random(7), 0
        self.english, self.chinese = sentences(), chinese_words()
        self.names = sorted({w for s in self.english[:3000] for w in re.findall(r"[A-Z][a-z]{4,9}", s)})

    def paragraph(self, zh: bool) -> str:
        rng = self.rng
        if not zh:
            return " ".join(rng.choices(self.english, k=rng.randint(2, 6)))
        said = (
            "，".join("".join(rng.choices(self.chinese, k=rng.randint(4, 9))) for _ in range(3)) for _ in range(4)
        )
        return "。".join(said) + "。"

    def title(self, zh: bool) -> str:
        return "".join(self.rng.choices(self.chinese, k=4)) if zh else " ".join(self.rng.choices(self.names, k=3))

    def write(self, suffix: str, text: str) -> int:
        path = self.folder / f"{self.number // 500:03}" / f"{self.number:06}{suffix}"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text, encoding="utf-8")
        self.number += 1
        return len(text.encode())

    def sections(self, zh: bool) -> list[tuple[str, list[str]]]:
        return [
            (self.title(zh), [self.paragraph(zh) for _ in range(self.rng.randint(2, 8))])
            for _ in range(self.rng.randint(3, 14))
        ]

    def plain(self) -> int:
        zh = self.rng.random() < 0.3
        paragraphs = [text for _, body in self.sections(zh) for text in body]
        return self.write(".txt", "\n\n".join(paragraphs))

    def markdown(self) -> int:
        zh = self.rng.random() < 0.3
        parts = [f"# {self.title(zh)}"]
        for head, body in self.sections(zh):
            parts += [f"## {head}", *body, "\n".join(f"- {self.title(zh)}" for _ in range(4))]
        return self.write(".md", "\n\n".join(parts))

    def html(self) -> int:
        parts = [f"<h1>{self.title(False)}</h1>"]
        for head, body in self.sections(False):
            parts += [f"<h2>{head}</h2>", *(f"<p>{text.replace('<', '&lt;')}</p>" for text in body)]
        return self.write(".html", "<html><body>" + "\n".join(parts) + "</body></html>")

    def table(self) -> int:
        rng = self.rng
        rows = ["name,region,2021,2022,2023"]
        names = rng.sample(self.names, min(len(self.names), rng.randint(20, 120)))
        for name in names:
            rows.append(
                f"{name},{rng.choice(['North', 'South', 'East', 'West'])},"
                + ",".join(str(rng.randint(10, 99_999)) for _ in range(3))
            )
        return self.write(".csv", "\n".join(rows) + "\n")

    def dialogue(self) -> int:
        speakers = self.rng.sample(self.names, 4)
        rows = []
        for _ in range(4):
            turns = [
                {"speaker": self.rng.choice(speakers), "content": self.paragraph(False)}
                for _ in range(self.rng.randint(20, 80))
            ]
            rows.append(json.dumps({"title": self.title(False), "turns": turns}))
        return self.write(".jsonl", "\n".join(rows) + "\n")

    def fill(self, size: int) -> None:
        """Documents of `size` bytes in all."""
        kinds = (self.plain, self.plain, self.markdown, self.html, self.table, self.dialogue)
        written = 0
        while written < size:
            written += self.rng.choice(kinds)()


def floor(folder: str, tokenizer: str) -> None:
    """Read every document and count its tokens, nothing else."""
    from golongrl.core import tokens
    from golongrl.core.documents import Document
    from golongrl.pipeline.dataset.reading import parts, read_part
    from golongrl.pipeline.dataset.sources import find_files

    counter = tokens.load(tokenizer)
    files, _ = find_files([folder], 40)
    total = documents = 0
    for part in parts(files, 4_000_000):
        for outcome in read_part(part, text_column=None, max_document_mb=40):
            if isinstance(outcome, Document):
                total += counter.count(outcome.text)
                documents += 1
    print(json.dumps({"documents": documents, "tokens": total}))


def peer(folder: str, tokenizer: str) -> None:
    """The same files through `datasets` and the `tokenizers` library."""
    import datasets
    import tokenizers

    datasets.disable_progress_bars()
    backend = tokenizers.Tokenizer.from_file(str(Path(tokenizer) / "tokenizer.json"))
    files = [str(path) for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    with tempfile.TemporaryDirectory() as cache:
        rows = datasets.load_dataset("text", data_files=files, sample_by="document", split="train", cache_dir=cache)
        total = sum(len(backend.encode(row["text"], add_special_tokens=False).ids) for row in rows)
    print(json.dumps({"documents": len(files), "tokens": total}))


def build(folder: str, tokenizer: str, out: str, target: str, workers: str) -> None:
    """The whole rules track."""
    from golongrl.pipeline.dataset.build import build as run
    from golongrl.pipeline.dataset.settings import BuildConfig

    config = BuildConfig(sources=(folder,), tokenizer=tokenizer, target=int(target), workers=int(workers))
    facts = run(config, Path(out)).facts
    print(
        json.dumps({"documents": facts["collect"]["documents"], "records": sum(facts["records"]["splits"].values())})
    )


def measured(step: str, *arguments: str) -> dict:
    """Seconds, peak memory (MB) and the result of one step in a process of its own."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import dataset; getattr(dataset, sys.argv[2])(*sys.argv[3:])"
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parent), step, *arguments]
    started, peak = time.perf_counter(), 0.0
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as failed:
        process = subprocess.Popen(command, stdout=said, stderr=failed, text=True, start_new_session=True)
        try:
            while process.poll() is None:
                peak = max(peak, peak_of_session(process.pid))
                time.sleep(0.2)
        finally:
            if process.returncode is None:
                # Ctrl-C does not reach another session.
                os.killpg(process.pid, signal.SIGKILL)
        seconds = time.perf_counter() - started
        said.seek(0)
        failed.seek(0)
        if process.returncode:
            raise SystemExit(f"{step} failed:\n{failed.read()}")
        return {"seconds": seconds, "mb": peak, **json.loads(said.read().splitlines()[-1])}


def peak_of_session(session: int) -> float:
    """The most memory (MB) that one living process of a session has held; pages that several share count in each."""
    peak = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == session:
                found = re.search(r"VmHWM:\s+(\d+) kB", (folder / "status").read_text())
                peak = max(peak, int(found[1]) if found else 0)
        except (OSError, ValueError):
            continue  # It has ended.
    return peak / 1024


def main() -> int:
    """Print the table; 3 without a tokenizer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mb", type=float, default=200)
    parser.add_argument("--target", default="500")
    parser.add_argument("--tokenizer", help="model folder; default: Qwen's, built here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        os.chdir(work)
        try:
            tokenizer = given.tokenizer or str(write_tokenizer(work / "tokenizer").parent)
        except FileNotFoundError as error:
            print(error, file=sys.stderr)
            return 3
        large, small = work / "large", work / "small"
        Writer(large).fill(int(given.mb * 1e6))
        Writer(small).fill(int(given.mb * 1e5))
        rows = {
            f"datasets + tokenizers, {given.mb:g} MB": measured("peer", str(large), tokenizer),
            f"read + count tokens, {given.mb:g} MB": measured("floor", str(large), tokenizer),
            f"build, {given.mb / 10:g} MB, 1 worker": measured(
                "build", str(small), tokenizer, str(work / "a"), given.target, "1"
            ),
            f"build, {given.mb:g} MB, 1 worker": measured(
                "build", str(large), tokenizer, str(work / "b"), given.target, "1"
            ),
            f"build, {given.mb:g} MB, 2 workers": measured(
                "build", str(large), tokenizer, str(work / "c"), given.target, "2"
            ),
        }
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{'step':<40}{'documents':>11}{'records':>9}{'seconds':>9}{'MB/s':>7}{'peak MB':>9}")
    for label, row in rows.items():
        size = given.mb / 10 if f"{given.mb / 10:g} MB" in label else given.mb
        print(
            f"{label:<40}{row['documents']:>11}{row.get('records', '-'):>9}{row['seconds']:>9.1f}"
            f"{size / row['seconds']:>7.1f}{row['mb']:>9.0f}"
        )
    _, alone, tenth, whole, two = rows.values()
    print(f"build / (read + count): {whole['seconds'] / alone['seconds']:.2f}")
    print(f"10x the text: {whole['seconds'] / tenth['seconds']:.1f}x time, {whole['mb'] / tenth['mb']:.2f}x memory")
    print(f"2 workers: {whole['seconds'] / two['seconds']:.2f}x one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
