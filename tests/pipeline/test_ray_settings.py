"""What Ray is told, for a cluster of its own and for one to join."""

import inspect
import os
import shlex
import socket
import sys
from pathlib import Path

import pytest
import ray

from golongrl.core.errors import ConfigError, ServerError
from golongrl.pipeline.training import ray_settings, verl_overrides, verl_tree
from golongrl.pipeline.training.config import TrainConfig

OUT = Path("/shared/run")


def settings(**changes) -> TrainConfig:
    given = {"model": "m", "data": "d", "device": "cpu", "rollout": "transformers", "gpus_per_node": 1, **changes}
    return TrainConfig.model_validate(given)


def init_arguments(config: TrainConfig) -> dict:
    """What verl hands to ray.init, from its composed configuration."""
    values = verl_overrides.settings(config, OUT, "optional")
    tree = verl_tree.plain(verl_tree.compose(verl_overrides.config_name(config), verl_overrides.overrides(values)))
    return tree["ray_kwargs"]["ray_init"]


def test_without_an_address_a_cluster_of_its_own_is_started():
    assert init_arguments(settings(gpus_per_node=2)) == {
        "address": "local",
        "num_cpus": 16,
        "num_gpus": 2,
        "include_dashboard": False,
        "runtime_env": {"py_executable": shlex.quote(sys.executable)},
    }


def test_on_gpus_ray_has_the_cpus_that_verl_and_its_queue_ask_for(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    given = init_arguments(settings(device="cuda", gpus_per_node=8))
    assert given == {
        "address": "local",
        "num_cpus": 3 * 8 + 9,
        "runtime_env": {"py_executable": shlex.quote(sys.executable)},
    }


def test_an_interpreter_below_a_folder_with_a_space_is_quoted_for_the_nodes_too(monkeypatch):
    monkeypatch.setattr("sys.executable", "/shared/a venv/bin/python")
    given = init_arguments(settings(ray_address="auto", nodes=2))
    assert given["runtime_env"]["py_executable"] == "'/shared/a venv/bin/python'"


def test_a_machine_with_more_cpus_offers_them(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 96)
    assert init_arguments(settings(device="cuda", gpus_per_node=8))["num_cpus"] == 96


def test_the_queue_keeps_off_a_head_without_gpus():
    key = "+transfer_queue.backend.SimpleStorage.required_node_resource"
    assert ray_settings.ray_init(settings(device="cuda", ray_address="auto", nodes=2), OUT)[key] == "GPU"
    assert key not in ray_settings.ray_init(settings(device="cuda"), OUT)


def test_a_running_cluster_is_told_nothing_about_its_nodes(monkeypatch):
    monkeypatch.setattr("sys.executable", "/shared/venv/bin/python")
    config = settings(ray_address="auto", nodes=2)
    assert init_arguments(config) == {
        "address": "auto",
        "num_cpus": None,  # ray.init refuses a number, and num_gpus
        "runtime_env": {"py_executable": None, "env_vars": ray_settings.worker_environment(config, OUT)},
    }


@pytest.mark.parametrize("address", [None, "auto"])
def test_ray_knows_every_argument(address):
    assert set(init_arguments(settings(ray_address=address))) <= set(inspect.signature(ray.init).parameters)


@pytest.mark.parametrize("address", ["http://127.0.0.1:8265", "ray://10.0.0.1:10001"])
def test_a_url_is_refused_with_the_command_that_takes_it(address):
    with pytest.raises(ConfigError, match=f"'{address}' is a URL.*ray job submit --address URL"):
        verl_overrides.settings(settings(ray_address=address), OUT, "optional")


def test_a_variable_can_be_added_to_what_travels_with_the_job():
    path = "ray_kwargs.ray_init.runtime_env.env_vars.NCCL_DEBUG"
    config = settings(ray_address="auto", verl={path: "INFO"})
    verl_tree.check_paths(config.verl, verl_overrides.config_name(config), "test")
    assert init_arguments(config)["runtime_env"]["env_vars"] == {
        **ray_settings.worker_environment(config, OUT),
        "NCCL_DEBUG": "INFO",
    }


def test_processes_on_other_nodes_get_what_they_cannot_inherit():
    found = ray_settings.worker_environment(settings(ray_address="auto", gpus_per_node=2), OUT)
    assert found["GOLONGRL_RUN_FOLDER"] == "/shared/run"
    assert found["TENSORBOARD_DIR"] == "/shared/run/tensorboard"
    assert found["VERL_PLATFORM"] == "cpu"
    assert "cpu_platform" in found["VERL_USE_EXTERNAL_MODULES"]
    assert found["OMP_NUM_THREADS"] == str(max(1, os.cpu_count() // 2))
    assert found["WANDB_MODE"] == "disabled"
    # Ray writes runtime environments into its logs and its dashboard.
    assert not [name for name in found if "TOKEN" in name and name != "TOKENIZERS_PARALLELISM"]
    assert all(isinstance(value, str) for value in found.values())


def test_gpu_nodes_get_nothing_that_is_for_cpus():
    found = ray_settings.worker_environment(settings(device="cuda", loggers=["console", "wandb"]), OUT)
    assert found == {
        "GOLONGRL_RUN_FOLDER": "/shared/run",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        "TENSORBOARD_DIR": "/shared/run/tensorboard",
        "VERL_USE_EXTERNAL_MODULES": "golongrl.pipeline.training.verl_plugin.rollout_registry",
    }


def test_a_private_cluster_has_its_own_token_and_a_joined_one_keeps_its_own(monkeypatch):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("GOLONGRL_HOME", "/tmp/home")
    alone = [ray_settings.environment(settings(), OUT) for _ in range(2)]
    assert alone[0]["RAY_TMPDIR"] == "/tmp/home"
    assert len({values["RAY_AUTH_TOKEN"] for values in alone}) == 2
    joined = ray_settings.environment(settings(ray_address="auto"), OUT)
    assert joined["RAY_OVERRIDE_JOB_RUNTIME_ENV"] == "1"
    assert not {"RAY_AUTH_TOKEN", "RAY_TMPDIR"} & set(joined)


def test_a_long_cache_path_is_not_given_to_ray(monkeypatch):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("GOLONGRL_HOME", "/tmp/" + "x" * 40)
    assert "RAY_TMPDIR" not in ray_settings.environment(settings(), OUT)


def test_an_address_at_which_something_listens_passes():
    with socket.create_server(("127.0.0.1", 0)) as server:
        ray_settings.check_address(f"127.0.0.1:{server.getsockname()[1]}")
    for address in (None, "auto", "local"):
        ray_settings.check_address(address)


def test_an_address_at_which_nothing_listens_is_refused_at_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ServerError, match=rf"no Ray cluster answers at 127\.0\.0\.1:{port}.*ray start --head"):
        ray_settings.check_address(f"127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:gcs"])
def test_an_address_without_host_or_port_is_refused(address):
    with pytest.raises(ConfigError, match="neither 'auto' nor HOST:PORT"):
        ray_settings.check_address(address)


def node(gpus: int, cpus: int, alive: bool = True) -> dict:
    return {"Alive": alive, "Resources": {"GPU": float(gpus), "CPU": float(cpus)}}


@pytest.mark.parametrize(
    ("found", "nodes", "gpus_per_node"),
    [
        ([node(1, 8), node(1, 8)], 2, 1),
        ([node(8, 24)] * 16, 16, 8),
        ([{"Alive": True, "Resources": {}}, *[node(8, 96)] * 16], 16, 8),  # a head without CPUs and GPUs
        ([node(16, 48)], 2, 8),  # one machine with room for two
    ],
)
def test_clusters_with_room_pass(found, nodes, gpus_per_node):
    ray_settings.check_nodes(found, nodes, gpus_per_node)


@pytest.mark.parametrize(
    ("found", "nodes", "gpus_per_node", "there"),
    [
        ([node(1, 8), node(1, 8)], 1, 2, r"needs 1 x \(2 GPU, 6 CPU\).*has 2 x \(1 GPU, 8 CPU\)"),
        ([node(8, 23)], 1, 8, r"needs 1 x \(8 GPU, 24 CPU\).*has 1 x \(8 GPU, 23 CPU\)"),
        ([node(8, 96)] * 15 + [node(8, 96, alive=False)], 16, 8, r"needs 16 x .*has 15 x \(8 GPU, 96 CPU\)"),
        ([], 1, 1, "has no nodes"),
    ],
)
def test_clusters_on_which_verl_would_wait_for_ever_are_refused(found, nodes, gpus_per_node, there):
    with pytest.raises(ConfigError, match=there):
        ray_settings.check_nodes(found, nodes, gpus_per_node)
