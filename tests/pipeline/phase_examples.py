"""Facts of every phase beyond the rules track, small enough to check by hand."""

HOSTILE = "</td><script>x|y</script>"


def phases():
    """One value per optional key of build.json."""
    cell = {
        "capability": "T1", "axis": "capability", "value": "T1", "n": 40, "clusters": 20, "mean": 0.25, "low": 0.1,
        "high": 0.4, "shrunk": 0.3, "failed": 0.7, "reasons": {"wrong answer": 20, "truncated": 8},
    }  # fmt: skip
    part = {**cell, "axis": "length", "value": "4k", "low": None, "high": None}
    segment = {
        "where": "length 4k", "n": 12, "share": 0.3, "mean": None, "low": None, "high": None, "failed": 0.75,
        "failures": 0.5, "reasons": {"no_answer": 9},
    }  # fmt: skip
    return {
        "version_of_data": 2,
        "versions": {
            "version": 2,
            "base": {"version": 1, "digest": "abc123", "records": 9},
            "kept": {"T1": 5},
            "removed": {"T1": {"overlaps with a benchmark": 1}, "T4": {"its capability is no longer wanted": 3}},
            "added": {"T1": 2},
            "refused": {"asked before": 4},
        },
        "diagnosis": {
            "used": ["mrcr-mini"],
            "held_out": ["mrcr", "longbench-v2"],
            "answers": 52,
            "unscored": {"timeout": 2},
            "left_out": {"of no known capability": 3},
            "notes": ["no scores of T4: taken for as hard as the others are on average"],
            "cells": [cell, part],
            "segments": [segment],
            "quotas": [{"capability": "T1", "records": 30, "headroom": 0.7, "bins": {"4k": 20, "16k": 10}}],
        },
        "funnel": {
            "qa": [
                {"stage": "rows", "unit": "questions", "removed": {"no context": 2}, "left": 8},
                {"stage": "votes", "unit": "records", "removed": {"too few agree": 3, "ambiguous": 1}, "left": 4},
            ],
            "llm": [{"stage": "answers", "unit": "questions", "removed": {}, "left": 5}],
        },
        "qa": [{"set": HOSTILE, "rows": 10, "items": 8, "refused": {"no context": 2}}],
        "synthesis": {
            "asked": 20, "malformed": 6, "repaired": 4, "rejected": {"quotation not found": 7}, "items": 11,
            "capabilities": {"T3": {"asked": 12, "items": 6}, "T8": {"asked": 8, "items": 5}},
            "types": {"compare": 11},
        },
        "verify": {
            "records": 12, "kept": 7, "reasons": {"answerable without the documents": 5},
            "votes": {"1 of 3": 2, "3 of 3": 10}, "tests": {"closed_book": {"asked": 10, "nobody said": 2}},
            "groups": [{"track": "qa", "capability": "T1", "records": 12, "kept": 7, "reasons": {}}],
            "abstentions": {"judge": {"truncated": 3}},
        },
        "difficulty": {
            "records": 7, "levels": {"quarantined": 1, "easy": 4, "hard": 2},
            "capabilities": {"T1": {"easy": 4}, "T2": {"hard": 2, "quarantined": 1}},
            "stages": {"small": 7, "large": 3}, "mean_pass_rate": {"T1": 0.9}, "cut": {"small": 5},
        },
        "contamination": {
            "n": 13, "checked": 30, "document_share": 0.2,
            "benchmarks": [{"benchmark": "bench", "items": 100, "question_hits": 2, "shared_documents": 1}],
            "evidence": [
                {"benchmark": "bench", "item": "row 3", "kind": "question", "ours": "Who?", "text": "shared words"}
            ],
        },
        "calls": {
            "small": {"calls": 100, "prompt_tokens": 5000, "completion_tokens": 700, "cost": 0.25},
            "large": {"calls": 10, "prompt_tokens": 500, "completion_tokens": 70, "cost": 0.5},
        },
        "shortcuts": [
            {
                "capability": "T2", "records": 40, "answer_length": [1, 1, 1], "common_answer": 0.3,
                "letters": {"A": 12, "B": 28}, "letters_p": 0.0114, "longest": 0.6, "shortest": 0.4,
                "option_chance": 0.5, "digits": {}, "depth": [4] * 10, "depth_p": None, "first": 0.5, "last": None,
                "end_chance": 0.25,
            }
        ],
        "learned": [
            {"capability": "T2", "records": 60, "accuracy": 0.5, "low": 0.4, "high": 0.6, "chance": 0.25,
             "verdict": "above"},
        ],
        "probes": [
            {"capability": "T2", "metric": "choice", "records": 40, "gold_ok": 39, "attacks": 25,
             "highest": "all_letters", "mean": 0.2, "exploited": ["all_letters"], "lost": {"quoted": 2}},
        ],
    }  # fmt: skip
