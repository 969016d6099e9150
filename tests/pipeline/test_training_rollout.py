"""The transformers rollout engine: where its server runs, what reaches it, and what it answers."""

import asyncio
import os
import random
import shlex
import shutil
import sys
import tempfile
from dataclasses import replace

import pytest
import ray
import torch
from ray.cluster_utils import Cluster
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from transformers import AutoModelForCausalLM, AutoTokenizer

from golongrl.core.byte_model import build_byte_model
from golongrl.core.errors import CheckFailedError, UsageError
from golongrl.pipeline.training import verl_overrides
from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.verl_plugin.rollout import (
    Place,
    TransformersAdapter,
    TransformersReplica,
    server_options,
    server_settings,
    visible_gpu,
    worker_place,
)
from golongrl.pipeline.training.verl_plugin.rollout_server import (
    ServerSettings,
    TransformersServer,
    actor_name,
    pack,
    unpack,
)
from golongrl.pipeline.training.worker import compose_config

TRAINING = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "repetition_penalty": 1.0, "logprobs": True}
END = 2
"""<|im_end|> in the byte-level vocabulary."""
VALIDATION = {**TRAINING, "temperature": 0.6, "top_p": 0.95}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_byte_model(tmp_path_factory.mktemp("model"), seed=3)


@pytest.fixture(scope="module")
def settings(folder):
    return ServerSettings(
        model_path=str(folder),
        device="cpu",
        dtype=torch.float32,
        max_model_len=64,
        response_length=12,
        max_num_seqs=1024,
        free_cache=True,
        seed=5,
        replica_rank=0,
    )


@pytest.fixture(scope="module")
def prompts(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return [tokenizer.encode(text) for text in ("red", "green and blue", "gold")]


def weights_of(folder, dtype=torch.float32):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).state_dict()


async def loaded(folder, settings, step=3):
    """A server in this process, with the model's weights as the trainer would have sent them after `step`."""
    server = TransformersServer(settings)
    sent = weights_of(folder, settings.dtype)
    await server.load_weights({name: pack(tensor) for name, tensor in sent.items()}, step)
    return server


async def ask(server, prompts, params=TRAINING):
    """Responses to requests that are sent at once."""
    answers = [server.generate("id", prompt_ids=prompt, sampling_params=params) for prompt in prompts]
    return [tuple(answer.token_ids) for answer in await asyncio.gather(*answers)]


# Placement


def test_a_server_for_a_gpu_sits_on_its_worker_s_node_and_gpu_and_claims_none():
    options = server_options(2, 1040, Place("a" * 56, "cuda", "5"))
    strategy = options.pop("scheduling_strategy")
    assert (strategy.node_id, strategy.soft) == ("a" * 56, False)
    assert options == {
        "name": "golongrl_transformers_rollout_2",
        "max_concurrency": 1040,
        "num_cpus": 0,
        "num_gpus": 0,
        "runtime_env": {
            "env_vars": {"CUDA_VISIBLE_DEVICES": "5", "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1"}
        },
    }


def test_a_server_on_a_cpu_keeps_the_environment_of_its_node():
    options = server_options(0, 1040, Place("b" * 56, "cpu"))
    assert options.pop("scheduling_strategy").node_id == "b" * 56
    assert options == {"name": "golongrl_transformers_rollout_0", "max_concurrency": 1040, "num_cpus": 0}


def test_the_gpu_of_a_process_is_named_as_its_node_knows_it():
    assert visible_gpu("3", 0) == "3"
    assert visible_gpu("4, 6,7", 1) == "6"
    assert visible_gpu("GPU-8f3a,MIG-77", 1) == "MIG-77"
    assert visible_gpu(None, 2) == "2"


def rollout_tree(folder, out, **changes):
    """verl's configuration of actor and rollout for a run with transformers rollouts."""
    config = TrainConfig(
        model=str(folder),
        data="unused.parquet",
        rollout="transformers",
        prompts_per_batch=2,
        rollouts_per_prompt=2,
        max_prompt_tokens=52,
        max_response_tokens=12,
        seed=5,
        **changes,
    )
    values = verl_overrides.settings(config, out, "optional")
    return compose_config("ppo_trainer", verl_overrides.overrides(values)).actor_rollout_ref


def test_a_gpu_server_samples_in_verl_s_dtype_and_gives_its_memory_back(folder, tmp_path):
    tree = rollout_tree(folder, tmp_path, device="cuda", gpus_per_node=1)
    assert tree.model.override_config.attn_implementation == "sdpa"
    assert server_settings(tree.rollout, str(folder), 1, "cuda") == ServerSettings(
        model_path=str(folder),
        device="cuda",
        dtype=torch.bfloat16,
        max_model_len=64,
        response_length=12,
        max_num_seqs=tree.rollout.max_num_seqs,
        free_cache=True,
        seed=5,
        replica_rank=1,
    )
    half = {"actor_rollout_ref.rollout.dtype": "float16", "actor_rollout_ref.rollout.free_cache_engine": False}
    rollout = rollout_tree(folder, tmp_path, device="cuda", gpus_per_node=1, verl=half).rollout
    settings = server_settings(rollout, str(folder), 0, "cuda")
    assert (settings.dtype, settings.free_cache) == (torch.float16, False)


def test_a_cpu_server_samples_in_the_float32_of_the_trainer(folder, tmp_path):
    tree = rollout_tree(folder, tmp_path, device="cpu", gpus_per_node=1)
    assert tree.actor.fsdp_config.model_dtype == "fp32"
    assert server_settings(tree.rollout, str(folder), 0, "cpu").dtype == torch.float32


# Weights


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float8_e4m3fn, torch.int64])
def test_parameters_survive_packing_bit_by_bit(dtype):
    bits = torch.frombuffer(bytearray(random.Random(0).randbytes(6 * 4 * dtype.itemsize)), dtype=torch.uint8)
    # Random bits are NaNs and subnormals as well; transposed, as a parameter may lie in memory.
    tensor = bits.view(dtype).reshape(6, 4).t()
    packed = pack(tensor)
    packed.data.flags.writeable = False  # as what Ray hands out
    got = unpack(packed)
    assert (got.dtype, got.shape) == (dtype, (4, 6))
    assert torch.equal(got.contiguous().view(torch.uint8), tensor.contiguous().view(torch.uint8))


def test_a_parameter_without_dimensions_survives_packing():
    got = unpack(pack(torch.tensor(1.5, dtype=torch.bfloat16)))
    assert got.shape == ()
    assert got.item() == 1.5


def test_a_parameter_the_model_lacks_is_an_error(folder, settings):
    async def send():
        await (await loaded(folder, settings)).load_weights({"no.such": pack(torch.zeros(1))}, None)

    with pytest.raises(KeyError, match=r"no\.such"):
        asyncio.run(send())


# Answers


def test_rollouts_depend_neither_on_the_batch_nor_on_the_order(folder, settings, prompts):
    requests = [prompt for prompt in prompts for _ in range(3)]

    async def one_by_one(order):
        server = await loaded(folder, settings)
        return [(await ask(server, [prompt]))[0] for prompt in order]

    async def at_once(order, others=()):
        server = await loaded(folder, settings)
        return (await ask(server, [*order, *others]))[: len(order)]

    together = asyncio.run(at_once(requests))
    assert len(set(together)) == 9
    assert asyncio.run(one_by_one(requests)) == together
    assert asyncio.run(at_once(requests, others=[[40, 41, 42, 43, 44]])) == together
    shuffled = random.Random(1).sample(requests, k=9)

    async def in_twos():
        return await ask(await loaded(folder, replace(settings, max_num_seqs=2)), shuffled)

    of_prompts = sorted(zip(shuffled, asyncio.run(in_twos()), strict=True))
    assert of_prompts == sorted(zip(requests, together, strict=True))


def test_every_step_draws_anew_and_a_resumed_run_draws_the_same(folder, settings, prompts):
    async def undisturbed():
        server = await loaded(folder, settings, step=3)
        third = await ask(server, prompts)
        await server.load_weights({}, 4)
        return third, await ask(server, prompts)

    async def resumed():
        return await ask(await loaded(folder, settings, step=4), prompts)

    third, fourth = asyncio.run(undisturbed())
    assert set(third).isdisjoint(fourth)
    assert asyncio.run(resumed()) == fourth


def test_validation_does_not_change_what_training_draws(folder, settings, prompts):
    async def train(validate):
        server = await loaded(folder, settings)
        if validate:
            await ask(server, prompts * 2, VALIDATION)
        return await ask(server, prompts * 2)

    assert asyncio.run(train(validate=True)) == asyncio.run(train(validate=False))


def test_a_bfloat16_server_samples_its_own_policy(folder, settings, prompts):
    async def generate():
        server = await loaded(folder, replace(settings, dtype=torch.bfloat16))
        return await server.generate("id", prompt_ids=prompts[1], sampling_params=TRAINING)

    answer = asyncio.run(generate())
    assert answer.stop_reason == ("completed" if answer.token_ids[-1] == END else "length")
    assert answer.stop_reason == "completed" or len(answer.token_ids) == 12
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    ids = torch.tensor([prompts[1] + answer.token_ids])
    with torch.inference_mode():
        logits = model(ids).logits[0, len(prompts[1]) - 1 : -1].float()
    expected = torch.log_softmax(logits, -1).gather(-1, ids[0, len(prompts[1]) :, None])[:, 0]
    # bfloat16 keeps 8 bits: logits of size 4 are rounded by up to 1/64 each.
    assert answer.log_probs == pytest.approx(expected.tolist(), abs=0.06)


def test_a_sleeping_server_takes_weights_and_answers_once_it_is_awake(folder, settings, prompts):
    async def sleep_and_wake():
        server = await loaded(folder, settings, step=3)
        server.lends_memory = True  # as on a GPU; here the weights move from the CPU to the CPU
        before = await ask(server, prompts)
        await server.sleep()
        # The numbering starts again with the update, so only the weights can make the answers differ.
        await server.load_weights({"model.norm.weight": pack(torch.zeros(64))}, 3)
        request = asyncio.create_task(ask(server, prompts))
        early, _ = await asyncio.wait([request], timeout=1)
        await server.wake_up()
        return early, set(before) & set(await request)

    assert asyncio.run(sleep_and_wake()) == (set(), set())


def test_a_prompt_that_fills_the_context_is_an_error(folder, settings):
    async def generate():
        await ask(await loaded(folder, settings), [[7] * 64])

    with pytest.raises(UsageError, match="64 tokens leaves no room"):
        asyncio.run(generate())


def test_a_batch_that_fails_is_told_to_each_request_and_the_next_one_is_served(folder, settings, prompts):
    async def generate():
        server = await loaded(folder, settings)
        good = await ask(server, prompts)
        broken = torch.full_like(server.model.model.norm.weight, float("nan"))
        await server.load_weights({"model.norm.weight": pack(broken)}, 3)
        failed = await asyncio.gather(
            *[server.generate("id", prompt_ids=prompt, sampling_params=TRAINING) for prompt in prompts],
            return_exceptions=True,
        )
        sent = weights_of(folder)
        await server.load_weights({name: pack(tensor) for name, tensor in sent.items()}, 3)
        return good, failed, await ask(server, prompts)

    good, failed, again = asyncio.run(generate())
    assert [type(error) for error in failed] == [CheckFailedError] * 3
    assert again == good


# In a Ray cluster of two nodes


class Worker:
    """Stands where verl has a training process: an actor on a node."""

    def environment(self):
        return dict(os.environ), ray.get_runtime_context().get_node_id(), sorted(ray.get_gpu_ids())


@pytest.fixture(scope="module")
def nodes():
    """Ids of the driver's node and of another one, in a Ray cluster as a CPU run would join it."""
    scratch = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # Ray's socket names leave no room for pytest's own folders
    environment = {
        "VERL_PLATFORM": "cpu",
        "VERL_USE_EXTERNAL_MODULES": "golongrl.pipeline.training.verl_plugin.cpu_platform",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    this_module = sys.modules[__name__]  # workers cannot import it
    ray.cloudpickle.register_pickle_by_value(this_module)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", scratch)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        try:
            other = cluster.add_node(num_cpus=2, num_gpus=2)
            # Ray puts the interpreter into a shell command as it is; a checkout may lie below a folder with a space.
            runtime = {"env_vars": environment, "py_executable": shlex.quote(sys.executable)}
            ray.init(cluster.address, runtime_env=runtime, log_to_driver=False)
            yield ray.get_runtime_context().get_node_id(), other.node_id
        finally:
            ray.shutdown()
            cluster.shutdown()
            ray.cloudpickle.unregister_pickle_by_value(this_module)
            shutil.rmtree(scratch, ignore_errors=True)


def test_the_gpu_reaches_the_server_without_a_claim_on_it(nodes):
    options = server_options(7, 16, Place(nodes[1], "cuda", "1"))
    environment, node, claimed = ray.get(ray.remote(Worker).options(**options).remote().environment.remote())
    assert (environment["CUDA_VISIBLE_DEVICES"], node, claimed) == ("1", nodes[1], [])
    assert environment["VERL_PLATFORM"] == "cpu"  # what the job brings is still there


def test_weights_reach_a_server_on_another_node_and_replicas_share_the_numbering(nodes, folder, prompts, tmp_path):
    tree = rollout_tree(folder, tmp_path, device="cpu", gpus_per_node=2)
    here = ray.remote(Worker).options(num_cpus=0, scheduling_strategy=on(nodes[0])).remote()
    there = ray.remote(Worker).options(num_cpus=0, scheduling_strategy=on(nodes[1])).remote()
    assert ray.get(there.__ray_call__.remote(worker_place)) == Place(nodes[1], "cpu")
    replicas = []
    for rank, worker in enumerate((there, here)):
        replica = TransformersReplica(rank, tree.rollout, tree.model, gpus_per_node=2)
        replica.workers = [worker]
        asyncio.run(replica.launch_servers())
        replicas.append(replica)
    assert [node_of(replica.server_handle) for replica in replicas] == [nodes[1], nodes[0]]

    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        sent = weights_of(folder, torch.bfloat16)
        for replica in replicas:
            adapter = TransformersAdapter(tree.rollout, tree.model, None)
            adapter.name = actor_name(replica.replica_rank)
            asyncio.run(update(adapter, sent))
    finally:
        torch.distributed.destroy_process_group()

    async def alone():
        local = server_settings(replicas[0].config, str(folder), 0, "cpu")
        server = TransformersServer(local)
        await server.load_weights({name: pack(tensor) for name, tensor in sent.items()}, 9)
        return await ask(server, prompts[:1] * 4)

    answers = []
    for replica in (replicas[1], replicas[0], replicas[1], replicas[0]):
        reference = replica.server_handle.generate.remote("id", prompt_ids=prompts[0], sampling_params=TRAINING)
        answers.append(tuple(ray.get(reference).token_ids))
    assert answers == asyncio.run(alone())
    assert len(set(answers)) == 4


def on(node_id):
    return NodeAffinitySchedulingStrategy(node_id=node_id, soft=False)


def node_of(actor):
    return ray.get(actor.__ray_call__.remote(lambda _: ray.get_runtime_context().get_node_id()))


async def update(adapter, weights):
    """What verl's training process does around an update."""
    await adapter.resume(tags=["weights"])
    await adapter.update_weights(iter(weights.items()), global_steps=9)
    await adapter.resume(tags=["kv_cache"])
