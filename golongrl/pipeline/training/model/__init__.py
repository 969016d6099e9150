"""The trained model: a checkpoint merged into one transformers folder, and the proof that it is what it claims."""
