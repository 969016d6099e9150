import json
import math

import pytest

from golongrl.core import engine_flags
from golongrl.core.byte_model import build_byte_model
from golongrl.core.errors import DataError, StorageError, UsageError
from golongrl.core.rope import (
    ORIGINAL,
    Override,
    both_forms,
    link_with_yarn,
    own_length,
    read_rope,
    remove_links,
    rope_of,
    shipped_override,
    write_yarn,
    yarn,
    yarn_override,
)

V4 = {"max_position_embeddings": 4096, "rope_theta": 1e6, "rope_scaling": None, "hidden_size": 64}
V5 = {"max_position_embeddings": 4096, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}
YARN = {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0, "original_max_position_embeddings": 4096}


@pytest.fixture(scope="module")
def byte_model(tmp_path_factory):
    return build_byte_model(tmp_path_factory.mktemp("model") / "bytes")


def written(folder, byte_model, **changes):
    """A folder with the byte model's config and these changes; None removes a key."""
    config = json.loads((byte_model / "config.json").read_text()) | changes
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({key: v for key, v in config.items() if v is not None}))
    return folder


def rotary(folder):
    """The rotary embedding that transformers makes of a folder's config."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder)
    return config, transformers.AutoModelForCausalLM.from_config(config).model.rotary_emb


@pytest.mark.parametrize("config", [V4, V5], ids=["transformers 4", "transformers 5"])
def test_yarn_holds_the_whole_dict_in_both_forms(config):
    before = json.dumps(config)
    made = yarn(config, 4)
    assert made["rope_parameters"] == made["rope_scaling"] == YARN
    assert (made["rope_theta"], made["max_position_embeddings"]) == (1e6, 16384)
    assert made.get("hidden_size") == config.get("hidden_size")
    assert json.dumps(config) == before


def test_yarn_is_written_where_a_multimodal_config_keeps_its_language_model():
    made = yarn({"model_type": "m", "vision_config": {"depth": 3}, "text_config": dict(V5)}, 2)
    assert made["text_config"]["rope_parameters"] == {**YARN, "factor": 2.0}
    assert made["text_config"]["max_position_embeddings"] == 8192
    assert (made["model_type"], made["vision_config"]) == ("m", {"depth": 3})
    assert "rope_theta" not in made


def test_yarn_again_starts_from_the_same_original_length():
    # Published configs keep max_position_embeddings at the original or at the scaled length.
    for length in (4096, 8192):
        old = {"type": "yarn", "factor": 2.0, "original_max_position_embeddings": 4096, "attention_factor": 1.3}
        made = yarn({**V4, "max_position_embeddings": length, "rope_scaling": {**old, "beta_fast": 16}}, 4)
        assert made["rope_scaling"] == made["rope_parameters"] == {**YARN, "beta_fast": 16}
        assert made["max_position_embeddings"] == 16384
    assert yarn(yarn(V5, 2), 4) == yarn(V5, 4)


def test_the_length_is_whole_tokens_and_must_hold_the_target():
    assert yarn(V4, 1.25, 5120)["max_position_embeddings"] == 5120
    assert yarn(V4, 1.3)["max_position_embeddings"] == 5324  # 5324.8
    with pytest.raises(UsageError, match=r"makes 5120 tokens of 4096, 6144 are needed; give at least 1\.5"):
        yarn(V4, 1.25, 6144)


@pytest.mark.parametrize("factor", [1, 0.5, -2, math.inf, math.nan])
def test_a_factor_that_lengthens_nothing_is_refused(factor):
    with pytest.raises(UsageError, match="give a number above 1"):
        yarn(V4, factor)


@pytest.mark.parametrize("kind", ["linear", "dynamic", "llama3", "longrope", "mrope"])
def test_another_scaling_is_refused(kind):
    with pytest.raises(UsageError, match=f"already scales its rotary embedding .{kind}.*within its 4096 tokens"):
        yarn({**V4, "rope_scaling": {"type": kind, "factor": 2.0}}, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rope_theta": None}, "names no rope_theta"),
        ({"rope_parameters": {"rope_theta": 1e4}}, r"two values of rope_theta \(10000.0, 1000000.0\)"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "YaRN without original_max_position_embeddings"),
        (
            {"rope_scaling": YARN, "original_max_position_embeddings": 2048},
            r"two values of original_max_position_embeddings \(4096, 2048\)",
        ),
        ({"max_position_embeddings": None}, "max_position_embeddings is None"),
        ({"rope_scaling": [2]}, "are a list"),
        ({"rope_parameters": {"full_attention": {"rope_theta": 1e6}}}, "one rotary embedding per kind of layer"),
        ({"rope_local_base_freq": 1e4}, "one rotary embedding per kind of layer"),
    ],
)
def test_an_incomplete_or_contradictory_config_is_refused(change, message):
    with pytest.raises(DataError, match=message):
        yarn({**V4, **change}, 4)


def test_what_a_planner_needs_is_read_from_every_form():
    assert (read_rope(V4).kind, read_rope(V4).original_length, read_rope(V4).length) == ("default", 4096, 4096)
    scaled = read_rope(yarn(V5, 2))
    assert (scaled.kind, scaled.theta, scaled.original_length, scaled.length) == ("yarn", 1e6, 4096, 8192)
    # Some configs name the trained length apart from the longest one.
    assert read_rope({**V4, "original_max_position_embeddings": 2048}).original_length == 2048


def test_of_two_rope_dicts_the_one_that_transformers_takes_wins(tmp_path, byte_model):
    yarn_dict = {**YARN, "rope_theta": 1e4}
    linear = {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}
    folder = written(tmp_path / "m", byte_model, rope_scaling=yarn_dict, rope_parameters=linear)
    config, _ = rotary(folder)
    stated = json.loads((folder / "config.json").read_text())
    assert rope_of(stated) == yarn_dict == config.rope_parameters
    assert rope_of({"text_config": stated}) == yarn_dict
    assert rope_of({**stated, "rope_scaling": None}) == linear
    assert rope_of({"hidden_size": 64}) == {}


def test_what_transformers_5_saved_can_be_read_by_transformers_4():
    assert both_forms(V5) == {**V5, "rope_theta": 1e6}
    partial = {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.5}
    assert both_forms({"rope_parameters": partial})["partial_rotary_factor"] == 0.5
    sections = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1]}
    assert both_forms({"rope_parameters": sections})["rope_scaling"] == sections
    for other in (V4, {"hidden_size": 8}, {"rope_parameters": {"full_attention": {"rope_theta": 1e6}}}):
        assert both_forms(other) == other


@pytest.mark.parametrize("form", ["transformers 4", "transformers 5"])
def test_transformers_reads_what_is_written(tmp_path, byte_model, form):
    forms = {
        "transformers 4": {"rope_theta": 1e6, "rope_parameters": None},
        "transformers 5": {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
    }
    folder = written(tmp_path / "m", byte_model, **forms[form])
    _, plain = rotary(folder)
    before = (folder / "config.json").read_text()
    assert write_yarn(folder, 4) == 16384
    config, scaled = rotary(folder)
    assert config.max_position_embeddings == 16384
    assert scaled.attention_scaling == pytest.approx(0.1 * math.log(4) + 1, abs=1e-12)
    assert scaled.attention_scaling == pytest.approx(1.138629436, abs=1e-9)
    # Head size 16: frequencies theta^(-2i/16). The fastest stays, the slowest is divided by the factor.
    assert plain.inv_freq[[0, 7]].tolist() == pytest.approx([1, 1e6**-0.875])
    assert scaled.inv_freq[[0, 7]].tolist() == pytest.approx([1, 1e6**-0.875 / 4])
    assert (folder / ORIGINAL).read_text() == before
    # A second factor starts from the model, not from the first factor, and the kept original stays the first one.
    assert write_yarn(folder, 2) == 8192
    assert rotary(folder)[1].attention_scaling == pytest.approx(0.1 * math.log(2) + 1)
    assert (folder / ORIGINAL).read_text() == before
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", ORIGINAL]


@pytest.mark.parametrize("dropped", ["rope_parameters", "rope_scaling"])
def test_each_form_alone_says_the_same(tmp_path, byte_model, dropped):
    folder = written(tmp_path / "m", byte_model, rope_parameters={"rope_type": "default", "rope_theta": 1e6})
    write_yarn(folder, 4)
    _, both = rotary(folder)
    config = json.loads((folder / "config.json").read_text())
    del config[dropped]
    (folder / "config.json").write_text(json.dumps(config))
    _, one = rotary(folder)
    assert one.attention_scaling == both.attention_scaling
    assert one.inv_freq.tolist() == both.inv_freq.tolist()


def test_a_refused_factor_leaves_the_folder_alone(tmp_path, byte_model):
    folder = written(tmp_path / "m", byte_model)
    before = (folder / "config.json").read_text()
    with pytest.raises(UsageError):
        write_yarn(folder, 1)
    assert [path.name for path in folder.iterdir()] == ["config.json"]
    assert (folder / "config.json").read_text() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "holds no config.json"), ("{", "is not JSON"), ("[]", "not a JSON object but a list")],
)
def test_a_folder_without_a_readable_config_is_named(tmp_path, text, message):
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(DataError, match=message):
        write_yarn(tmp_path, 4)


TEXT = {"vocab_size": 32, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1}
TEXT |= {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32}
VISION = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
VISION |= {"image_size": 32, "patch_size": 16, "projection_dim": 32}
# Tiny models of three published forms: each has its own theta and length.
PUBLISHED = {
    "Qwen3": {"model_type": "qwen3", **TEXT, "rope_theta": 1e6, "max_position_embeddings": 40960},
    "Llama": {
        "model_type": "llama",
        **TEXT,
        "rope_parameters": {"rope_type": "default", "rope_theta": 5e5},
        "max_position_embeddings": 8192,
    },
    "nested": {
        "model_type": "llava",
        "image_token_index": 31,
        "vision_config": {"model_type": "clip_vision_model", **VISION},
        "text_config": {"model_type": "llama", **TEXT, "rope_theta": 2e5, "max_position_embeddings": 4096},
    },
}


def rotary_of(config):
    """The rotary embedding that transformers builds for a config object, language model of a nested one."""
    import transformers

    if config.model_type == "llava":
        return transformers.LlavaForConditionalGeneration(config).model.language_model.rotary_emb
    return transformers.AutoModelForCausalLM.from_config(config).model.rotary_emb


def by_the_paper(theta, original, factor, size=32):
    """Inverse frequencies of YaRN (arXiv 2309.00071, section 3.2, alpha 1, beta 32) for heads of this size."""

    def dimension(rotations):
        return size * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(theta))

    low, high = max(math.floor(dimension(32)), 0), min(math.ceil(dimension(1)), size - 1)
    found = []
    for index in range(size // 2):
        interpolated = min(max((index - low) / (high - low), 0), 1)
        frequency = theta ** (-2 * index / size)
        found.append(frequency * (1 - interpolated) + frequency / factor * interpolated)
    return found


@pytest.mark.parametrize(
    ("name", "theta", "original"), [("Qwen3", 1e6, 40960), ("Llama", 5e5, 8192), ("nested", 2e5, 4096)]
)
def test_transformers_computes_the_papers_frequencies_from_what_is_emitted(tmp_path, name, theta, original):
    import transformers
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    published = PUBLISHED[name]
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps(published))
    expected = by_the_paper(theta, original, 2.5)
    override = yarn_override(published, 2.5)
    assert (override.nested, override.length) == (name == "nested", int(2.5 * original))

    linked = link_with_yarn(tmp_path / "model", tmp_path / "linked", override)
    from_folder = transformers.AutoConfig.from_pretrained(linked)
    # What an engine does with the flag: it sets each key on the config that it loaded.
    from_flags = transformers.AutoConfig.from_pretrained(tmp_path / "model")
    target, changes = from_flags, json.loads(engine_flags.yarn_launch("vllm", "0.33.0", override).command[1])
    if override.nested:
        target, changes = from_flags.text_config, changes["text_config"]
    for key, value in changes.items():
        setattr(target, key, value)

    for config in (from_folder, from_flags):
        made = rotary_of(config)
        assert made.inv_freq.tolist() == pytest.approx(expected, rel=1e-5)
        assert made.attention_scaling == pytest.approx(0.1 * math.log(2.5) + 1, abs=1e-12)
        language = config.get_text_config()
        assert language.max_position_embeddings == int(2.5 * original)
        inverse, scaling = ROPE_INIT_FUNCTIONS["yarn"](language, "cpu")
        assert inverse.tolist() == made.inv_freq.tolist()
        assert scaling == made.attention_scaling


def test_links_share_the_models_files_and_are_taken_away_again(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(V4))
    (model / "weights.safetensors").write_bytes(b"w")
    (model / "parts").mkdir()
    for factor in (2, 3):
        folder = link_with_yarn(model, tmp_path / "run" / "yarn", yarn_override(V4, factor))
        assert json.loads((folder / "config.json").read_text()) == yarn(V4, factor)
    assert (folder / "weights.safetensors").resolve() == model / "weights.safetensors"
    assert json.loads((model / "config.json").read_text()) == V4
    remove_links(folder)
    remove_links(folder)
    assert not folder.exists()
    assert sorted(path.name for path in model.iterdir()) == ["config.json", "parts", "weights.safetensors"]


def test_files_that_are_no_links_are_never_removed(tmp_path):
    folder = tmp_path / "yarn"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (tmp_path / "config.json").write_text(json.dumps(V4))
    with pytest.raises(StorageError, match=r"holds notes\.txt"):
        link_with_yarn(tmp_path, folder, yarn_override(V4, 2))
    assert (folder / "notes.txt").read_text() == "mine"
    # A link to a model is taken away as a link.
    (tmp_path / "link").symlink_to(folder)
    remove_links(tmp_path / "link")
    assert (folder / "notes.txt").exists()


def test_own_length_counts_yarn_that_the_config_ships():
    shipped = {**V4, "rope_scaling": {**YARN, "factor": 2.0}}
    assert (own_length(V4), own_length(V5), own_length(shipped)) == (4096, 4096, 8192)
    assert own_length({"text_config": shipped}) == 8192
    assert own_length({**shipped, "max_position_embeddings": 8192}) == 8192
    assert own_length({"n_positions": 1024}) is None


def test_shipped_yarn_is_restated_whole_where_engines_would_miss_its_length():
    # Published so: max_position_embeddings at the unscaled length, theta beside the dict.
    scaling = {"type": "yarn", "factor": 2.0, "original_max_position_embeddings": 4096, "attention_factor": 1.3}
    assert shipped_override({**V4, "rope_scaling": scaling}) == Override(
        {**YARN, "factor": 2.0, "attention_factor": 1.3}, 8192, nested=False
    )
    assert shipped_override({"text_config": {**V4, "rope_scaling": scaling}}).nested
    assert shipped_override({**V4, "max_position_embeddings": 8192, "rope_scaling": scaling}) is None
    assert shipped_override(V4) is None
