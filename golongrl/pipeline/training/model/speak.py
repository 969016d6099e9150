"""A model folder loaded in transformers and asked for a few words: the last part of a proof."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.core.errors import CheckFailedError, require
from golongrl.core.machine import host_memory

MEMORY_SHARE = 0.6
"""Largest part of the free memory that a model may take to be loaded."""


@dataclass(frozen=True)
class Spoken:
    """What loading a folder came to."""

    loaded: bool | None
    """None when it was not tried."""
    skipped: str | None
    """Why it was not tried."""
    text: str | None = None
    """The model's greedy answer, special tokens included; None when it was not tried."""


def speak(folder: Path, size: int, prompt: str, tokens: int) -> Spoken:
    """Load a folder whose weights take `size` bytes and generate `tokens` tokens for a user's message, greedily.

    Code from the folder is never run. A model that is too large for the memory of this machine, or whose class
    transformers does not have, is not loaded, and the result says so. Raises CheckFailedError when tensors are
    missing, superfluous or of another shape than the config asks for, when loading fails, or when a logit is NaN or
    infinite.
    """
    transformers = require("transformers")
    memory = host_memory()
    if memory is not None and size > MEMORY_SHARE * memory.available:
        return Spoken(
            None,
            f"the weights take {size / 2**30:.1f} GiB, more than {MEMORY_SHARE:.0%} of the "
            f"{memory.available / 2**30:.1f} GiB of memory that are free",
        )
    with _quiet(transformers), _as_failure(folder):
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        name = (config.architectures or ["(none)"])[0]
        model_class = getattr(transformers, name, None)
        if model_class is None:
            return Spoken(
                None, f"transformers {transformers.__version__} has no {name}, and code of models is not run"
            )
        model, report = model_class.from_pretrained(
            folder,
            config=config,
            dtype="auto",
            output_loading_info=True,
            # So that they are reported, all of them, in our words.
            ignore_mismatched_sizes=True,
            trust_remote_code=False,
            local_files_only=True,
        )
        problems = {kind: sorted(map(str, found)) for kind, found in report.items() if found}
        if problems:
            told = "; ".join(f"{kind.replace('_', ' ')}: {', '.join(found[:3])}" for kind, found in problems.items())
            raise CheckFailedError(
                f"{folder} does not load as {name} ({told}); its config.json and its weights are not of one model"
            )
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        return Spoken(True, None, _generate(folder, model, tokenizer, prompt, tokens))


def _generate(folder: Path, model: Any, tokenizer: Any, prompt: str, tokens: int) -> str:
    torch = require("torch", "train")
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    # Sampling settings of the folder mean nothing to a greedy answer, and transformers complains of them.
    model.generation_config.update(temperature=None, top_p=None, top_k=None)
    made = model.generate(
        **inputs, max_new_tokens=tokens, do_sample=False, return_dict_in_generate=True, output_logits=True
    )
    if not all(bool(torch.isfinite(logits).all()) for logits in made.logits):
        raise CheckFailedError(
            f"{folder} computes NaN or infinite logits, although its weights are finite; the training diverged, go "
            "back to an earlier checkpoint"
        )
    return tokenizer.decode(made.sequences[0, inputs["input_ids"].shape[1] :], skip_special_tokens=False)


@contextmanager
def _as_failure(folder: Path) -> Iterator[None]:
    """What transformers raises on a folder it cannot use, as one clear error."""
    import jinja2

    try:
        yield
    except CheckFailedError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, jinja2.TemplateError) as error:
        raise CheckFailedError(
            f"{folder} cannot be used in transformers ({type(error).__name__}: {str(error)[:300]}); mend the folder, "
            "or delete it and run the same command again to make it anew"
        ) from error


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """No progress bars and no reports of transformers meanwhile."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
