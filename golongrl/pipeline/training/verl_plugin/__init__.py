"""Everything that runs inside verl's processes, reached only through verl 0.9.1's extension points.

cpu_platform      VERL_USE_EXTERNAL_MODULES: a platform named "cpu"
rollout_registry  VERL_USE_EXTERNAL_MODULES: names the transformers rollout engine
rollout           the transformers rollout engine: replica, server actor, weight adapter
rollout_server    its server actor: gathers requests into batches, samples, takes weights, sleeps on a GPU
prompt_router     rollout.router_config_path: all rollouts of a prompt go to one server
reward            reward.custom_reward_function: score_response
estimator         register_adv_est: advantages from golongrl.core.advantages
group_buffer      trainer.v1.sampler.custom_sampler: dynamic sampling with a tolerance, carry-over and an end
task_sampler      which prompts make a batch: a share for every task
task_loss         verl's policy loss with clipped tokens counted per task
row_metrics       per task: lengths, unscorable rollouts, tokens masked by IcePop
trainer           TaskRunner and trainer subclass that bring all of it together
"""
