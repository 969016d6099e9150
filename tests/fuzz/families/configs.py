"""Settings that people write: TOML files, `--set`, tables of licences, lengths; every command's configuration."""

import contextlib

from families import scratch
from golongrl.core.config import build, command_table, parse_set
from golongrl.core.errors import GolongrlError
from golongrl.core.tokens import parse_length
from golongrl.pipeline.dataset import licences
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.pipeline.evaluation.config import EvalConfig
from golongrl.pipeline.training.config import TrainConfig

COMMANDS = {"build-dataset": BuildConfig, "eval": EvalConfig, "train": TrainConfig}
SEEDS = [
    b'[build-dataset]\nsources = ["docs"]\ntarget = 300\nmix = {T1 = 5, T4 = 2}\nlength_bins = ["4k", 16384]\n'
    b'[build-dataset.models.big]\nmodel = "m"\nbase_url = "http://127.0.0.1:1/v1"\n'
    b'[build-dataset.synthesis]\nmodel = "big"\n[build-dataset.verify]\nvotes = 4\nagree = 0.75\n',
    b'[eval]\nbench = ["mrcr-mini", "all"]\nmodel = "m"\nmax_length = ["4k"]\ntemperature = 0.7\nyarn = "auto"\n'
    b'judge_model = "j"\nneedles = [2]\nbase_url = "http://127.0.0.1:1/v1"\n',
    b'[train]\nmodel = "m"\ndata = "train.parquet"\nsteps = 3\nalgo = "tmn-reweight"\nlearning_rate = 1e-6\n'
    b'prompts_per_batch = 6\nrollouts_per_prompt = 4\ntask_stats = "ema"\n',
    b'"*.md" = "CC-BY-4.0"\n"data/*" = "MIT"\n',
    b'target=300\nverify.votes=4\nmix={"T1": 5}\nlength_bins=4k,16k\nlicences=["MIT"]\nsources=docs',
    b"4k\n128k\n1m\n32768",
]


def check(data: bytes) -> None:
    """A configuration, or a message that names what is wrong."""
    path = scratch.file("golongrl.toml", data)
    lines = scratch.text(data).splitlines()
    for command, schema in COMMANDS.items():
        for read in (lambda c=command: command_table(c, path), lambda: (parse_set(lines), "--set")):
            try:
                table, where = read()
                config = build(schema, table, where=where)
            except GolongrlError:
                continue
            again = build(schema, config.model_dump(exclude_unset=True))
            assert again.model_dump_json() == config.model_dump_json()
    for one in (lambda: licences.parse(data, "licences.toml"), *(lambda t=t: parse_length(t) for t in lines[:50])):
        with contextlib.suppress(GolongrlError):
            one()
