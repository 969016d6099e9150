"""A model folder's chat template: exact prompt sizes, and whether the template opens a thinking block.

The template is rendered as transformers renders it (sandboxed jinja2, block trimming) without importing it.
"""

import datetime
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from golongrl.core import json_text
from golongrl.core.errors import DataError
from golongrl.core.tokens import Tokenizer

# Role, separators and end marker of a message in the templates in use; only for models without a template at hand.
TOKENS_PER_MESSAGE = 8

_RAISED = (
    ValueError,
    TypeError,
    NameError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    MemoryError,
)


def read_template(folder: Path) -> tuple[str, dict[str, Any]] | None:
    """(template, special tokens) of a model folder, or None when it has no chat template."""
    settings: dict[str, Any] = {}
    config = folder / "tokenizer_config.json"
    if config.is_file():
        settings = json_text.read_object(config, "the model folder is damaged, copy it again")
    special: dict[str, Any] = {}
    for name in ("bos_token", "eos_token", "unk_token", "pad_token"):
        value = settings.get(name)
        special[name] = value.get("content", "") if isinstance(value, dict) else value or ""
    file = folder / "chat_template.jinja"
    if file.is_file():
        try:
            return file.read_text(encoding="utf-8"), special
        except UnicodeDecodeError as error:
            raise DataError(f"{file} is not UTF-8; the model folder is damaged, copy it again") from error
    template = settings.get("chat_template")
    if isinstance(template, list):
        named = {entry.get("name"): entry.get("template") for entry in template if isinstance(entry, dict)}
        template = named.get("default")
    return (template, special) if isinstance(template, str) else None


@lru_cache(maxsize=8)
def _compile(template: str) -> Any:
    import jinja2.ext
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(jinja2.ext.Extension):
        """`{% generation %}` marks the assistant's text for training masks; a prompt takes the text as it is."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return jinja2.nodes.Scope(body, lineno=line)

    def fail(message: str) -> None:
        raise jinja2.exceptions.TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation]
    )
    environment.filters["tojson"] = lambda value, **kw: json.dumps(value, **{"ensure_ascii": False, **kw})
    environment.globals["raise_exception"] = fail
    environment.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
    return environment.from_string(template)


def render(found: tuple[str, dict[str, Any]], messages: Sequence[Mapping[str, str]]) -> str:
    """The prompt text of a conversation, up to where the model goes on. DataError when the template refuses it."""
    import jinja2

    template, special = found
    try:
        # Templates ask `tools is not none`, so what is not given is None rather than undefined.
        return _compile(template).render(
            messages=[dict(m) for m in messages], tools=None, documents=None, add_generation_prompt=True, **special
        )
    # A template is code: beside jinja's own errors it raises what any expression may.
    except (jinja2.exceptions.TemplateError, *_RAISED) as error:
        raise DataError(f"the model's chat template refuses a conversation: {error}") from error


def prompt_tokens(
    tokenizer: Tokenizer, messages: Sequence[Mapping[str, str]], found: tuple[str, dict[str, Any]] | None
) -> int:
    """Prompt size in tokens: exact with a template, else the contents and TOKENS_PER_MESSAGE each."""
    if found is not None:
        return tokenizer.count(render(found, messages))
    return sum(tokenizer.count(m["content"]) + TOKENS_PER_MESSAGE for m in messages)


def detect_think(found: tuple[str, dict[str, Any]] | None) -> Literal["required", "optional"]:
    """ "required" when the template ends the prompt inside an open `<think>` block, else "optional"."""
    if found is None:
        return "optional"
    prompt = render(found, [{"role": "user", "content": "?"}])
    return "required" if prompt.rfind("<think>") > prompt.rfind("</think>") else "optional"
