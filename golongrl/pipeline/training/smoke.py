"""The smoke run's own model and records: does training work on this machine, with nothing to download?

A byte-level model that already knows the answer format of three tiny tasks, but not the answers. Its rewards start at
what guessing earns and rise within tens of steps, so a run shows more than that nothing crashed.
"""

import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from golongrl.core.byte_model import build_byte_model
from golongrl.core.cache import cache_folder
from golongrl.core.errors import require
from golongrl.core.records import Record, write_parquet
from golongrl.core.tasks import CAPABILITIES

NAME = "smoke"
"""What `model` and `data` are called to mean these."""

WORDS = ("red", "blue", "green", "gold")
ANSWERS = {
    "T1": ("lock", "d"),
    "T3": ("bag", "a\nc"),
    "T9": ("flag", "red gold"),
}
"""Capability -> (what its four questions ask about, their common answer)."""

QUESTIONS = {capability: [f"{word} {number}" for number in range(1, 5)] for capability, (word, _) in ANSWERS.items()}


def smoke_inputs(model: str, data: str) -> Mapping[str, str]:
    """Model folder and data file with the names made real, built in the cache the first time."""
    folder = cache_folder() / "smoke"
    real = {"model": model, "data": data}
    if model == NAME:
        target = folder / "model"
        if not target.exists():
            folder.mkdir(parents=True, exist_ok=True)
            unfinished = Path(mkdtemp(dir=folder))
            build_smoke_model(unfinished)
            try:
                unfinished.rename(target)
            except OSError:
                # Another process was faster; both built the same.
                shutil.rmtree(unfinished, ignore_errors=True)
                if not target.exists():
                    raise
        real["model"] = str(target)
    if data == NAME:
        path = folder / "train.parquet"
        folder.mkdir(parents=True, exist_ok=True)
        write_parquet(path, smoke_records())
        real["data"] = str(path)
    return real


def any_answer(capability: str, rng: random.Random) -> str:
    """A well-formed answer drawn uniformly, right only by chance."""
    if capability == "T1":
        return rng.choice("abcd")
    if capability == "T3":
        return "\n".join(sorted(rng.sample("abcdef", 2)))
    return " ".join(rng.choices(WORDS, k=2))


def smoke_records() -> list[Record]:
    """Twelve records on three metrics: em, f1 (graded) and rouge_l (graded)."""
    rows: list[Record] = []
    for capability_id, (_, answer) in ANSWERS.items():
        capability = CAPABILITIES[capability_id]
        for question in QUESTIONS[capability_id]:
            truth: dict[str, Any] = (
                {"golden_label": answer} if capability.metric == "em" else {"doc_ids": answer.split("\n")}
            )
            row = {
                "data_source": capability.data_source,
                "prompt": [{"role": "user", "content": question}],
                "ability": capability.ability,
                "reward_model": {"ground_truth": {**truth, "summary": "English"}},
                "extra_info": {
                    "index": len(rows),
                    "reward_mode": capability.reward_mode,
                    "question": question,
                    "capability": capability_id,
                    "metric": capability.metric,
                    "language": "en",
                },
            }
            rows.append(Record.model_validate(row))
    return rows


def build_smoke_model(folder: Path, steps: int = 300, seed: int = 0) -> Path:
    """The byte-level model after supervised steps on random well-formed answers; about 10 s on one core."""
    torch, transformers = require("torch", "train"), require("transformers", "train")
    transformers.utils.logging.disable_progress_bar()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the model is too small for more
    build_byte_model(folder, seed=seed)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    rng = random.Random(seed)
    questions = [(capability, question) for capability in ANSWERS for question in QUESTIONS[capability]]
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(steps):
        texts, starts = [], []
        for capability, question in rng.choices(questions, k=32):
            prompt = tokenizer.apply_chat_template(
                [{"role": "user", "content": question}], add_generation_prompt=True, tokenize=False
            )
            texts.append(prompt + any_answer(capability, rng) + "<|im_end|>")
            starts.append(len(tokenizer.encode(prompt)))
        batch = tokenizer(texts, return_tensors="pt", padding=True, padding_side="right")
        labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
        for row, start in enumerate(starts):
            labels[row, :start] = -100
        loss = model(**batch, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    torch.set_num_threads(threads)
    return folder
