"""What a run holds in memory, estimated from the model's shape: update, weight sync, rollouts, host."""
