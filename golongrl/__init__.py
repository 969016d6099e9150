"""golongrl: auditable reinforcement learning with verifiable rewards on long contexts."""

__version__ = "0.1.0"
