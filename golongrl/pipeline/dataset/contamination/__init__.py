"""Overlap with evaluation benchmarks."""
