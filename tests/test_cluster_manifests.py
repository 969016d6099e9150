"""Cluster manifests and docs/cluster.md: what they tell Slurm, KubeRay, Ray and golongrl exists and fits."""

import json
import os
import re
import shlex
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest
import typer
import yaml
from ray.scripts.scripts import cli as ray_cli

from golongrl.cli.app import app
from golongrl.core.config import parse_set
from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.ray_settings import CPUS_PER_GPU
from golongrl.pipeline.training.resolve import PRESETS, resolve

ROOT = Path(__file__).parents[1]
SBATCH = ROOT / "examples" / "cluster" / "slurm.sbatch"
KUBERAY = ROOT / "examples" / "cluster" / "kuberay.yaml"
PAGE = ROOT / "docs" / "cluster.md"
RECIPE = resolve({"preset": "qwen3-4b", "data": "d"}, {}, {}, "test")
SERVICE_CPUS = 8
"""CPUs of a node for what runs beside the training processes: verl's trainer, queues, rewards, Ray itself."""


def parse(command, argv):
    """Context of the innermost command, with its options parsed and checked; an unknown one raises UsageError."""
    context = command.make_context(argv[0], argv[1:])
    while hasattr(command, "resolve_command"):
        rest = [*getattr(context, "_protected_args", []), *context.args]
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
    return context


def check_golongrl(argv) -> TrainConfig | None:
    """Parse a `golongrl ...` command; the configuration it trains with, for `golongrl train`."""
    context = parse(typer.main.get_command(app), argv)
    if context.info_name != "train":
        return None
    flags = {name: value for name, value in context.params.items() if name in {*TrainConfig.model_fields, "preset"}}
    return resolve({}, parse_set(context.params["set_"] or []), flags, "test")


def check_ray(argv) -> TrainConfig | None:
    """Parse a `ray ...` command and the golongrl command it hands on."""
    inner: list[str] = []
    if "--" in argv:
        place = argv.index("--")
        argv, inner = argv[:place], argv[place + 1 :]
        if inner[:2] == ["env", "-C"]:
            inner = inner[3:]
    if argv[1] == "symmetric-run":
        context = parse(ray_cli, [*argv, "--", *inner])
        assert context.params["address"]
        start = list(context.params["ray_args_and_entrypoint"])
        assert not {"--head", "--port", "--block", "--node-ip-address"} & set(start)
        parse(ray_cli, ["ray", "start", "--address", "h:1", *start[: start.index(inner[0])]])
    else:
        parse(ray_cli, [*argv, *(["--", *inner] if inner else [])])
    return check_golongrl(inner) if inner else None


CHECKS = {"golongrl": check_golongrl, "ray": check_ray}


def commands_of(page: Path) -> list[list[str]]:
    """Every command in the bash blocks of a page."""
    blocks = re.findall(r"^```bash\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.strip()]


OURS = [argv for argv in commands_of(PAGE) if argv[0] in CHECKS]


@pytest.mark.parametrize("argv", OURS, ids=" ".join)
def test_commands_of_the_page_parse(argv):
    trained = CHECKS[argv[0]](argv)
    if trained is not None:
        assert trained.ray_address is not None


def test_the_page_shows_all_kinds_of_commands():
    assert len(OURS) >= 12
    kinds = {" ".join(argv[:2]) for argv in OURS}
    assert kinds >= {"golongrl train", "ray start", "ray stop", "ray job", "ray get-auth-token"}


def test_commands_in_the_text_exist():
    named = set(re.findall(r"`((?:ray|golongrl) [a-z][a-z-]*(?: [a-z]+)?)", PAGE.read_text(encoding="utf-8")))
    assert {"ray status", "ray job submit", "golongrl train"} <= named
    for words in map(str.split, named):
        group = ray_cli if words[0] == "ray" else typer.main.get_command(app)
        assert words[1] in group.commands, words
        if words[1] == "job":
            assert words[2] in group.commands["job"].commands, words


def test_files_the_page_names_exist():
    text = PAGE.read_text(encoding="utf-8")
    named = {*re.findall(r"(?:examples|tests)/[\w/]+\.\w+", text)}
    assert {"examples/cluster/slurm.sbatch", "examples/cluster/kuberay.yaml"} <= named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_a_wrong_option_would_be_found():
    train = ["golongrl", "train", "--preset", "qwen3-4b", "--data", "d"]
    assert check_golongrl([*train, "--nodes", "8"]).nodes == 8
    for wrong in (["--node", "8"], ["--nodes", "eight"]):
        with pytest.raises(Exception, match=r"(?i)no such option|valid integer"):
            check_golongrl([*train, *wrong])
    with pytest.raises(Exception, match=r"(?i)no such option"):
        check_ray(["ray", "start", "--num-gpu", "8"])
    with pytest.raises(Exception, match=r"(?i)no such option"):
        check_ray(["ray", "symmetric-run", "--address", "h:1", "--num-gpu", "8", "--", *train])


def test_presets_for_clusters_join_one():
    for name in ("qwen3-4b", "qwen3-30b-a3b"):
        config = resolve({"preset": name, "data": "d"}, {}, {}, str(PRESETS[name]))
        assert (config.nodes, config.gpus_per_node, config.ray_address) == (16, 8, "auto")


def directives() -> dict[str, str | None]:
    """#SBATCH options of the Slurm script; Slurm reads them up to the first command."""
    found: dict[str, str | None] = {}
    seen_command = False
    for line in SBATCH.read_text(encoding="utf-8").splitlines():
        if line.startswith("#SBATCH"):
            assert not seen_command, f"Slurm does not read {line}"
            name, equals, value = line.split()[1].partition("=")
            assert name not in found, name
            found[name] = value if equals else None
        seen_command |= bool(line) and not line.startswith("#")
    return found


@pytest.fixture
def slurm_run(tmp_path):
    """What the Slurm script starts: (words after srun, their environment), with stand-ins for Slurm's commands."""
    programs = {
        "srun": 'env -0 > "$RECORD/environment"; printf "%s\\0" "$@" > "$RECORD/words"',
        "hostname": 'echo "10.1.0.7 192.168.0.7 "',
        "ip": 'echo "2: fabric0    inet 10.1.0.7/24 brd 10.1.0.255 scope global fabric0"',
    }
    (tmp_path / "bin").mkdir()
    for name, code in programs.items():
        script = tmp_path / "bin" / name
        script.write_text(f"#!/bin/bash\n{code}\n")
        script.chmod(0o755)
    (tmp_path / "bin" / "activate").touch()
    job = f"test{uuid.uuid4().hex[:8]}"
    given = directives()
    environment = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "RECORD": str(tmp_path),
        "SLURM_JOB_ID": job,
        "SLURM_NNODES": given["--nodes"],
        "SLURM_CPUS_PER_TASK": given["--cpus-per-task"],
        **{"VENV": str(tmp_path), "DATA": "/shared/a b.parquet", "OUT": "/shared/run"},
    }
    try:
        subprocess.run(["bash", str(SBATCH)], env=environment, check=True, timeout=60)
    finally:
        shutil.rmtree(f"/tmp/golongrl-{job}", ignore_errors=True)
    words = (tmp_path / "words").read_text().split("\0")[:-1]
    pairs = (line.split("=", 1) for line in (tmp_path / "environment").read_text().split("\0") if line)
    return words, dict(pairs)


def test_slurm_asks_for_what_the_preset_needs():
    given = directives()
    assert int(given["--nodes"]) == RECIPE.nodes
    assert int(given["--gpus-per-node"]) == RECIPE.gpus_per_node
    assert given["--ntasks-per-node"] == "1"  # one Ray per node
    assert int(given["--cpus-per-task"]) >= CPUS_PER_GPU * RECIPE.gpus_per_node + SERVICE_CPUS
    # Ray would find other users' clusters on a shared node, and a requeued job overwrites its log without append.
    assert given["--exclusive"] is None
    assert given["--open-mode"] == "append"


def test_slurm_starts_ray_and_trains_the_preset(slurm_run):
    words, _ = slurm_run
    place = words.index("ray")
    cpus = directives()["--cpus-per-task"]
    assert words[:place] == [f"--cpus-per-task={cpus}", "--cpu-bind=none", "--kill-on-bad-exit=1"]
    config = check_ray(words[place:])
    assert config == RECIPE.model_copy(update={"data": "/shared/a b.parquet"})
    ray = dict(zip(words[place + 2 : words.index("--") : 2], words[place + 3 : words.index("--") : 2], strict=True))
    assert ray == {
        "--address": "10.1.0.7:6379",
        "--min-nodes": str(RECIPE.nodes),
        "--num-gpus": str(RECIPE.gpus_per_node),
        "--num-cpus": cpus,
    }


def test_slurm_gives_ray_a_token_a_short_folder_and_gloo_its_interface(slurm_run):
    _, environment = slurm_run
    assert environment["RAY_AUTH_MODE"] == "token"
    assert re.fullmatch(r"[0-9a-f]{64}", environment["RAY_AUTH_TOKEN"])
    assert len(environment["RAY_TMPDIR"]) <= 36
    assert environment["GLOO_SOCKET_IFNAME"] == "fabric0"


@pytest.mark.parametrize("missing", ["VENV", "DATA", "OUT"])
def test_slurm_says_which_path_is_missing(missing, tmp_path):
    given = {"VENV": str(tmp_path), "DATA": "d", "OUT": "o"}
    del given[missing]
    done = subprocess.run(
        ["bash", str(SBATCH)], env={"PATH": os.environ["PATH"], **given}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert f"{missing}: the " in done.stderr


@pytest.fixture(scope="module")
def job():
    (document,) = yaml.safe_load_all(KUBERAY.read_text(encoding="utf-8"))
    return document


def groups(job):
    cluster = job["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def containers(job):
    return [container for group in groups(job) for container in group["template"]["spec"]["containers"]]


def test_kuberay_gets_a_ray_job(job):
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", job["metadata"]["name"])
    # Fields of RayJobSpec and RayClusterSpec in KubeRay 1.5.1; the API server drops or refuses others.
    assert set(job["spec"]) == {
        *("entrypoint", "backoffLimit", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "rayClusterSpec")
    }
    cluster = job["spec"]["rayClusterSpec"]
    assert set(cluster) == {"rayVersion", "authOptions", "headGroupSpec", "workerGroupSpecs"}
    assert cluster["authOptions"] == {"mode": "token"}


def test_kuberay_has_the_ray_of_the_constraints(job):
    pinned = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE).group(1)
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == pinned


def test_kuberay_trains_the_preset_on_its_workers(job):
    config = check_golongrl(shlex.split(job["spec"]["entrypoint"]))
    assert config == RECIPE.model_copy(update={"data": config.data, "model": config.model})
    (workers,) = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert workers["replicas"] == workers["minReplicas"] == workers["maxReplicas"] == config.nodes
    (container,) = workers["template"]["spec"]["containers"]
    for kind in ("requests", "limits"):
        assert container["resources"][kind]["nvidia.com/gpu"] == config.gpus_per_node
        cpus = int(container["resources"][kind]["cpu"])
        assert cpus >= CPUS_PER_GPU * config.gpus_per_node + SERVICE_CPUS
    head = job["spec"]["rayClusterSpec"]["headGroupSpec"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    assert "nvidia.com/gpu" not in json.dumps(head)


def test_kuberay_start_parameters_are_options_of_ray_start(job):
    known = {name for option in ray_cli.commands["start"].params for name in option.opts}
    for group in groups(job):
        assert {f"--{name}" for name in group["rayStartParams"]} <= known
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_kuberay_pods_share_image_files_and_memory(job):
    assert len({container["image"] for container in containers(job)}) == 1
    for group in groups(job):
        pod = group["template"]["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in pod["containers"][0]["volumeMounts"]}
        assert mounts["/dev/shm"]["emptyDir"]["medium"] == "Memory"
        assert mounts["/shared"]["persistentVolumeClaim"] == {"claimName": "golongrl-shared"}
    entry = dict(zip(words := shlex.split(job["spec"]["entrypoint"]), words[1:], strict=False))
    assert all(entry[name].startswith("/shared/") for name in ("--model", "--data", "--out"))
