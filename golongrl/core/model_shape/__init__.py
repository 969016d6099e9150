"""A model's sizes, read from its config.json without loading it: layers, parameter counts, what the cache holds."""
