"""What a model takes at a length on given GPUs, from its config.json alone: memory, parallelism, time, YaRN."""
