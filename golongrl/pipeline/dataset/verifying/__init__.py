"""Votes, necessity and difficulty: what models say of finished records."""
