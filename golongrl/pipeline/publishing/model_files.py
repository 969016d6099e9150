"""A model folder's files: which ones are published, and whether everybody can load them without running code."""

from collections.abc import Iterator
from pathlib import Path

from golongrl.core import chat_template, tokens
from golongrl.core.errors import GolongrlError
from golongrl.core.model_config import language_config, model_config
from golongrl.core.weight_files import INDEX, read_headers
from golongrl.pipeline.publishing.checks import Check, shown

PUBLISHED = (
    *("config.json", "generation_config.json", INDEX, "tokenizer*", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.*", "merges.txt", "tekken.json", "chat_template*", "*processor_config.json", "proof.json"),
)
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")


def check_loads(folder: Path) -> tuple[Check, list[Path]]:
    """Whether config and weights are whole and fit together, and the weight files; values are not read."""
    try:
        config, tensors = model_config(folder), read_headers(folder)
    except GolongrlError as error:
        return Check("model loads", "", [str(error)]), []
    files = sorted({tensor.file for tensor in tensors.values()})
    found = f"{len(tensors):,} tensors, {sum(tensor.size for tensor in tensors.values()):,} bytes"
    return Check("model loads", found, list(_misfits(folder, config, tensors))), files


def _misfits(folder: Path, config: dict, tensors: dict) -> Iterator[str]:
    if not config.get("architectures"):
        yield f"{folder / 'config.json'} names no architectures; copy the base model's"
    if config.get("auto_map"):
        yield (
            f"{folder / 'config.json'} needs code of its own to load (auto_map), which push-to-hub does not publish; "
            "use an architecture that transformers has"
        )
    language = language_config(config)
    rows, width = language.get("vocab_size"), language.get("hidden_size")
    embedding = [tensor for name, tensor in tensors.items() if name.endswith("embed_tokens.weight")]
    if embedding and rows and width and embedding[0].shape != (rows, width):
        yield (
            f"{folder / 'config.json'} says {rows} x {width} embeddings, and the weights have "
            f"{' x '.join(map(str, embedding[0].shape))}; merge the checkpoint again"
        )


def check_safetensors_only(folder: Path) -> Check:
    """Whether no file is a pickle, which runs code when it is loaded."""
    pickles = sorted(path.name for path in folder.rglob("*") if path.suffix.lower() in PICKLES and path.is_file())
    problem = f"{folder} holds pickles ({shown(pickles)}), which run code when they are loaded; take them away"
    return Check("safetensors only", "", [problem] if pickles else [])


def check_tokenizer(folder: Path) -> Check:
    """Whether tokenizer and chat template are there and turn a question into tokens that the model has."""
    try:
        tokenizer = tokens.load(str(folder))
        template = chat_template.read_template(folder)
        if template is None:
            problem = f"{folder} has no chat template; copy chat_template.jinja from the base model"
            return Check("tokenizer and chat template", "", [problem])
        prompt = chat_template.render(template, [{"role": "user", "content": "Who wrote it?"}])
        ids = tokenizer.encode(prompt)
        rows = language_config(model_config(folder)).get("vocab_size")
    except GolongrlError as error:
        return Check("tokenizer and chat template", "", [str(error)])
    problems = []
    if "Who wrote it?" not in prompt:
        problems.append(f"{folder}: the chat template loses the question; copy it from the base model")
    if rows and max(ids, default=0) >= rows:
        problems.append(
            f"{folder}: the tokenizer has more tokens than config.json's vocab_size {rows}; copy both again"
        )
    return Check("tokenizer and chat template", f"thinking {chat_template.detect_think(template)}", problems)
