import json
import math

import pytest

from golongrl.core.byte_model import build_byte_model
from golongrl.core.errors import DataError, UsageError
from golongrl.core.rope import ORIGINAL, both_forms, read_rope, rope_of, write_yarn, yarn

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
    ("text", "message"), [(None, "holds no config.json"), ("{", "is not JSON"), ("[]", "is a JSON list")]
)
def test_a_folder_without_a_readable_config_is_named(tmp_path, text, message):
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(DataError, match=message):
        write_yarn(tmp_path, 4)
