import json

import pytest

from golongrl.core.chat_template import TOKENS_PER_MESSAGE, detect_think, prompt_tokens, read_template, render
from golongrl.core.errors import DataError
from golongrl.core.tokens import ApproxTokenizer

TURNS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
CHATML = TURNS + "{% if add_generation_prompt %}<|go|>{% endif %}"
USER = [{"role": "user", "content": "Hi"}]


def model_folder(folder, settings=None, template=None):
    if settings is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    if template is not None:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return folder


def test_no_template_is_none(tmp_path):
    assert read_template(tmp_path) is None
    assert read_template(model_folder(tmp_path, {"eos_token": "</s>"})) is None
    assert read_template(model_folder(tmp_path, {"chat_template": [{"name": "tool_use", "template": "x"}]})) is None


def test_where_templates_and_special_tokens_are_kept(tmp_path):
    settings = {"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": False}, "pad_token": None}
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "", "pad_token": ""}
    named = [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]
    assert read_template(model_folder(tmp_path, {**settings, "chat_template": "A"})) == ("A", special)
    assert read_template(model_folder(tmp_path, {**settings, "chat_template": named})) == ("D", special)
    # The file wins over the settings, as it does in transformers.
    assert read_template(model_folder(tmp_path, template="F")) == ("F", special)


@pytest.mark.parametrize("data", [b"{half", b"\xff\xfe"])
def test_damaged_settings_are_named(tmp_path, data):
    (tmp_path / "tokenizer_config.json").write_bytes(data)
    with pytest.raises(DataError, match=r"tokenizer_config.json is not JSON; the model folder is damaged"):
        read_template(tmp_path)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (CHATML, "<|user|>Hi<|go|>"),
        ("{{ bos_token }}{{ messages | length }}", "<s>1"),
        ("{% if true %}\n  x\n{% endif %}\ny", "  x\ny"),
        ("{{ messages[0] | tojson }}", '{"role": "user", "content": "Hi"}'),
        ("{{ '中<' | tojson }}{{ '中' | tojson(ensure_ascii=true) }}", '"中<""\\u4e2d"'),
        ("{{ [1] | tojson(indent=1) }}", "[\n 1\n]"),
        ("{% for i in [1, 2, 3] %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "1"),
        ("{% if tools is not none %}tools{% elif documents is none %}plain{% endif %}", "plain"),
        ("a{% generation %}{{ messages[0].content }}{% endgeneration %}b", "aHib"),
        ("{% if enable_thinking is defined %}x{% else %}y{% endif %}", "y"),
        ("{% if strftime_now('%Y') | int > 2000 %}ok{% endif %}", "ok"),
    ],
)
def test_templates_render_as_transformers_renders_them(template, expected):
    from transformers.utils.chat_template_utils import render_jinja_template

    special = {"bos_token": "<s>"}
    assert render((template, special), USER) == expected
    theirs, _ = render_jinja_template(
        conversations=[USER], chat_template=template, add_generation_prompt=True, **special
    )
    assert theirs == [expected]


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('roles must alternate') }}",
        "{% if %}",
        "{{ messages[0].content.__class__.__mro__ }}{{ messages[0].__class__.__init__.__globals__ }}",
        "{{ nothing.inner }}",
        "{% set _ = messages.append(1) %}",
    ],
)
def test_a_template_that_refuses_or_oversteps_is_one_clear_error(template):
    with pytest.raises(DataError, match="the model's chat template refuses a conversation"):
        render((template, {}), USER)


def test_the_refusal_says_why():
    with pytest.raises(DataError, match="roles must alternate"):
        render(("{{ raise_exception('roles must alternate') }}", {}), USER)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("<|go|>", "optional"),
        ("<|go|><think>\n", "required"),
        ("<|go|><think>\n\n</think>\n\n", "optional"),
        ("<think></think><|go|><think>", "required"),
    ],
)
def test_an_open_thinking_block_at_the_end_of_the_prompt_must_be_closed(end, expected):
    template = "{{ messages[0].content }}{% if add_generation_prompt %}" + end + "{% endif %}"
    assert detect_think((template, {})) == expected


def test_without_a_template_thinking_is_optional():
    assert detect_think(None) == "optional"


def test_prompt_sizes():
    tokenizer = ApproxTokenizer()
    # "<|user|>Hi<|go|>" is 16 bytes.
    assert prompt_tokens(tokenizer, USER, (CHATML, {})) == 4
    assert prompt_tokens(tokenizer, [*USER, {"role": "assistant", "content": "12345"}], None) == 1 + 2 + 2 * 8
    assert TOKENS_PER_MESSAGE == 8
