"""Coverage-guided fuzzing of one family of parsers by atheris: `python tests/fuzz/harness.py FAMILY SECONDS`.

Inputs that break a parser are left in build/fuzz/FAMILY; `python tests/fuzz/harness.py FAMILY FILE` tries one again.
Exit code 3 without atheris, which `make fuzz` brings; another one when something broke.
"""

import random
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

HANG_SECONDS = 25
BUILD = Path("build/fuzz")


def main() -> None:
    """Fuzz until the time is over or something breaks."""
    name, what = sys.argv[1:]
    if not what.isdigit():
        from families import family

        family(name).check(Path(what).read_bytes())
        return
    try:
        import atheris
    except ImportError:
        print(f"{name}: not fuzzed, atheris is not installed; run: make fuzz", file=sys.stderr)
        sys.exit(3)
    from families import NAMES, seeds
    from mutations import LONGEST, mutated

    if name not in NAMES:
        sys.exit(f"no family {name!r}; there are {', '.join(NAMES)}")
    with atheris.instrument_imports(include=["golongrl"]):
        from families import family

        module = family(name)
    valid = seeds(module)

    def check(data: bytes) -> None:
        module.check(data)

    def change(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.3:
            return atheris.Mutate(data, most)
        return mutated(rng, (data, data, data, rng.choice(valid)))[:most]

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(valid):
            (Path(corpus) / f"{number:03}").write_bytes(seed)
        found = BUILD / name
        found.mkdir(parents=True, exist_ok=True)
        options = [f"-max_total_time={what}", f"-timeout={HANG_SECONDS}", f"-max_len={LONGEST}", "-rss_limit_mb=4096"]
        arguments = [sys.argv[0], *options, f"-artifact_prefix={found}/", "-print_final_stats=1", corpus]
        atheris.Setup(arguments, check, custom_mutator=change)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
