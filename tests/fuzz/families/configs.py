"""Settings that people write: TOML files, `--set`, tables of licences, lengths; every command's configuration."""

import contextlib
from typing import Any

from families import scratch
from golongrl.core.config import Config, build, command_table, parse_set
from golongrl.core.errors import GolongrlError
from golongrl.core.tokens import parse_length
from golongrl.pipeline.dataset import licences
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.pipeline.evaluation.config import EvalConfig
from golongrl.pipeline.training.config import TrainConfig

COMMANDS = {"build-dataset": BuildConfig, "eval": EvalConfig, "train": TrainConfig}
READ_BY = {
    "[build-dataset]": [
        b'[build-dataset]\nsources = ["docs"]\ntarget = 300\nmix = {T1 = 5, T4 = 2}\nlength_bins = ["4k", 16384]\n'
        b'[build-dataset.models.big]\nmodel = "m"\nbase_url = "http://127.0.0.1:1/v1"\n'
        b'[build-dataset.synthesis]\nmodel = "big"\n[build-dataset.verify]\nvotes = 4\nagree = 0.75\n',
    ],
    "[eval]": [
        b'[eval]\nbench = ["mrcr-mini", "all"]\nmodel = "m"\nmax_length = ["4k"]\ntemperature = 0.7\nyarn = "auto"\n'
        b'judge_model = "j"\njudge_base_url = "http://127.0.0.1:2/v1"\nneedles = [2]\n'
        b'base_url = "http://127.0.0.1:1/v1"\n',
    ],
    "[train]": [
        b'[train]\nmodel = "m"\ndata = "train.parquet"\nsteps = 3\nalgo = "tmn-reweight"\nlearning_rate = 1e-6\n'
        b'prompts_per_batch = 6\nrollouts_per_prompt = 4\ntask_stats = "ema"\n',
    ],
    "--set of build-dataset": [
        b'target=300\nverify.votes=4\nmix={"T1": 5}\nlength_bins=4k,16k\nlicences=["MIT"]\nsources=docs',
    ],
    "--set of eval": [b"bench=mrcr-mini,general\nmodel=m\nmax_length=4k,16k\nyarn=2.5\nneedles=2,4"],
    "licences": [b'"*.md" = "CC-BY-4.0"\n"data/*" = "MIT"\n'],
    "lengths": [b"4k\n128k\n1m\n32768"],
}


def check(data: bytes) -> set[str]:
    """A configuration, or a message that names what is wrong."""
    path = scratch.file("golongrl.toml", data)
    lines = scratch.text(data).splitlines()
    found = set()
    for command, schema in COMMANDS.items():
        readers = {
            f"[{command}]": lambda c=command, s=schema: _from_table(s, *command_table(c, path)),
            f"--set of {command}": lambda s=schema: build(s, {}, parse_set(lines)),
        }
        for name, read in readers.items():
            with contextlib.suppress(GolongrlError):
                config = read()
                again = build(schema, config.model_dump(exclude_unset=True))
                assert again.model_dump_json() == config.model_dump_json()
                found.add(name)
    with contextlib.suppress(GolongrlError):
        licences.parse(data, "licences.toml")
        found.add("licences")
    readable = [_is_length(line) for line in lines[:50]]
    return found | ({"lengths"} if readable and all(readable) else set())


def _from_table(schema: type[Config], table: dict[str, Any], where: str) -> Config:
    return build(schema, table, where=where)


def _is_length(text: str) -> bool:
    with contextlib.suppress(GolongrlError):
        parse_length(text)
        return True
    return False
