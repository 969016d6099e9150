"""A real model asks: SmolLM2 135M behind transformers, through the whole build. It can hardly write a question that
holds; what matters is that everything it says is counted, and nothing unsound is kept."""

import pytest

from golongrl.core import config as configuration
from golongrl.core.errors import CheckFailedError
from golongrl.core.store import read_jsonl
from golongrl.pipeline.dataset.build import build
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.pipeline.demo.smollm2 import convert

TEXT = """# The harbour of Estmouth

The harbour of Estmouth was dug in 1782 by four hundred workers from the northern valleys.
Its first master, Corin Hale, kept a ledger of every ship that paid the toll of six shillings.

## The ledger

The ledger names 214 ships in its first year, most of them carrying salt, wool and clay pipes.
In the winter of 1790 the ledger was lost in a fire and written again from memory by his daughter.

## The lighthouse

The lighthouse stands on a rock called the Anvil and has a lamp with seven wicks.
Its keepers were paid in oil and flour until the county took it over in 1831.
"""


@pytest.mark.slow
def test_a_small_real_model_is_counted_honestly(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    for number in range(3):
        (tmp_path / "docs" / f"{number}.md").write_text(TEXT.replace("Estmouth", f"Estmouth{number}"))
    model = convert(tmp_path / "model")
    table = {
        "sources": [str(tmp_path / "docs")],
        "generator": "both",
        "capabilities": "T1",
        "target": 2,
        "length_bins": "1k",
        "val_share": 0,
        "engine": "transformers",
        "near_duplicate": 1,
        "models": {"generator": {"model": str(model), "max_tokens": 32, "max_model_len": 2048}},
    }
    try:
        result = build(configuration.build(BuildConfig, table), tmp_path / "data")
    except CheckFailedError as error:  # what the server cannot answer is no result
        pytest.fail(str(error))
    facts = result.facts["synthesis"]
    assert facts["asked"] >= 1
    assert result.facts["calls"]["generator"]["calls"] == facts["asked"]
    rejects = [row for _, row in read_jsonl(result.out / "rejects.jsonl") if row["phase"] == "synthesis"]
    assert len(rejects) == sum(facts["rejected"].values())
    assert facts["items"] + len(rejects) == facts["asked"] - facts["malformed"]
    assert result.facts["records"]["splits"]["train"] >= 1
