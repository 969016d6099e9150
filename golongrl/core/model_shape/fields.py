"""A config.json's numbers by their names, with a note of each value that is not stated but taken from elsewhere."""

from collections.abc import Mapping
from typing import Any

from golongrl.core.errors import DataError
from golongrl.core.model_config import language_config

MOST = 10**8
"""Of anything in a model; lists are made with one entry per layer."""


class Fields:
    """The language model part of a config. `assumed` collects what was not stated, `advice` ends every error."""

    def __init__(self, config: Mapping[str, Any], advice: str = "copy the model folder again"):
        self.text = language_config(config)
        self.config = config
        self.kind = str(self.text.get("model_type") or config.get("model_type")).removesuffix("_text")
        self.advice = advice
        self.assumed: list[str] = []

    def size(self, *names: str, default: int | None = None) -> int:
        """The first of these names that holds a whole number; DataError, or the family's default, without any."""
        found = self.stated(*names)
        if found is not None and not 1 <= found <= MOST:
            raise DataError(f"the model's config.json has {names[0]} = {found}; {self.advice}")
        if found is not None:
            return found
        if default is None:
            raise DataError(f"the model's config.json has no {names[0]}; {self.advice}")
        self.assumed.append(f"{names[0]} = {default:,}, the default of {self.kind}")
        return default

    def stated(self, *names: str) -> int | None:
        """The first of these names that holds a whole number, or None."""
        for name in names:
            value = self.text.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
        return None

    def flag(self, name: str, default: bool = False) -> bool:
        """A switch; a config leaves out those at their default."""
        value = self.text.get(name)
        return default if value is None else bool(value)

    def tied(self, default: bool = False) -> bool:
        """Whether the head is the embedding; multimodal configs say so outside the language model's part."""
        return bool(self.text.get("tie_word_embeddings", self.config.get("tie_word_embeddings", default)))

    def layer_kinds(self, layers: int, name: str = "layer_types") -> list[str] | None:
        """A list with one entry per layer, where the config has it; DataError when it is longer or shorter."""
        kinds = self.text.get(name)
        if not isinstance(kinds, list) or not kinds:
            return None
        if len(kinds) != layers:
            raise DataError(
                f"the model's config.json has {len(kinds)} {name} for {layers} layers; copy the model folder again"
            )
        return [str(kind) for kind in kinds]
