"""Everything that runs inside verl's processes, reached only through verl 0.9.1's extension points.

cpu_platform      VERL_USE_EXTERNAL_MODULES: a platform named "cpu"
rollout_registry  VERL_USE_EXTERNAL_MODULES: names the transformers rollout engine
rollout           the transformers rollout engine: replica, server actor, weight adapter
reward            reward.custom_reward_function: score_response
estimator         register_adv_est: advantages from golongrl.core.advantages
trainer           TaskRunner and trainer subclass: tasks for the estimator, metrics, task statistics
"""
