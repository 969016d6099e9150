"""A byte-level model that already knows the answer format of three tiny tasks, but not the answers."""

import random
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from golongrl.core.byte_model import build_byte_model
from golongrl.core.records import Record
from golongrl.core.tasks import CAPABILITIES

WORDS = ("red", "blue", "green", "gold")
GOLD = {
    "T1": ("lock", "d"),
    "T3": ("bag", "a\nc"),
    "T9": ("flag", "red gold"),
}
"""Capability -> (what its four questions ask about, their common answer)."""

QUESTIONS = {capability: [f"{word} {number}" for number in range(1, 5)] for capability, (word, _) in GOLD.items()}


def any_answer(capability: str, rng: random.Random) -> str:
    """A well-formed answer drawn uniformly, right only by chance."""
    if capability == "T1":
        return rng.choice("abcd")
    if capability == "T3":
        return "\n".join(sorted(rng.sample("abcdef", 2)))
    return " ".join(rng.choices(WORDS, k=2))


def records() -> list[Record]:
    """Twelve records on three metrics: em, f1 (graded) and rouge_l (graded)."""
    rows = []
    for capability_id, (_, answer) in GOLD.items():
        capability = CAPABILITIES[capability_id]
        for question in QUESTIONS[capability_id]:
            truth = {"golden_label": answer} if capability.metric == "em" else {"doc_ids": answer.split("\n")}
            rows.append(
                Record(
                    data_source=capability.data_source,
                    prompt=[{"role": "user", "content": question}],
                    ability=capability.ability,
                    reward_model={"ground_truth": {**truth, "summary": "English"}},
                    extra_info={
                        "index": len(rows),
                        "reward_mode": capability.reward_mode,
                        "question": question,
                        "capability": capability_id,
                        "metric": capability.metric,
                        "language": "en",
                    },
                )
            )
    return rows


def build_warm_model(folder: Path, steps: int = 300, seed: int = 0) -> Path:
    """The byte-level model after supervised steps on random well-formed answers."""
    torch.set_num_threads(1)  # the model is too small for more
    build_byte_model(folder, seed=seed)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    rng = random.Random(seed)
    questions = [(capability, question) for capability in GOLD for question in QUESTIONS[capability]]
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
    return folder
