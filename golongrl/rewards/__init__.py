"""Verifiable rewards: one metric per file, all behind `score_response`."""
