"""What jobs need, loaded before there are any; what cannot be loaded is the first job's error."""

import contextlib
import importlib
import threading

from golongrl.core.errors import GolongrlError
from golongrl.pipeline.dataset.filters import language
from golongrl.pipeline.dataset.library import absolute, load_tokenizer


def warm_up(tokenizer: str) -> None:
    """Load the tokenizer, what reads and composes, and the model of languages, for a process that does nothing else
    meanwhile."""
    # Most of it happens outside of Python, while the rest is imported.
    loading = threading.Thread(target=_load, args=(tokenizer,))
    loading.start()
    importlib.import_module("golongrl.pipeline.dataset.produce")
    language.detect("Der Hafen von Estmouth wurde in zehn Jahren gegraben.")
    loading.join()


def _load(tokenizer: str) -> None:
    with contextlib.suppress(GolongrlError):
        load_tokenizer(absolute(tokenizer))
