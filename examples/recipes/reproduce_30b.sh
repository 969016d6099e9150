#!/usr/bin/env bash
# The recipe's 30B-A3B run: plain GRPO, as the recipe ran it, on all 23K records, 16 machines of 8 GPUs. Run on a
# node of the Ray cluster (docs/cluster.md). DRY_RUN=--dry-run shows what each step would do, and starts nothing.
set -euo pipefail

MODEL=${MODEL:-Qwen/Qwen3-30B-A3B-Thinking-2507}
DATA=${DATA:-dataset/train.parquet}      # Kwai-Klear/GoLongRL's rows, or your own from build-dataset
OUT=${OUT:-runs/30b}
DRY_RUN=${DRY_RUN:-}

# 1. Are the rewards sound? Training asks the same of a sample; this asks it of all.
golongrl verify-rewards "$DATA" --out "$OUT/audit"

# 2. The recipe's settings: 163,840 + 16,384 tokens, 128 prompts x 16 rollouts, TP 4 CP 8 EP 4, IcePop, lr 2e-6.
golongrl train --preset qwen3-30b-a3b --algo "${ALGO:-grpo}" --model "$MODEL" --data "$DATA" --out "$OUT/train" \
  --ray-address auto $DRY_RUN

# 3. Before and after, on the recipe's long-context benchmarks, with its sampling (the defaults of eval).
#    Serve with vLLM or SGLang from an interpreter of its own; JUDGE_URL serves the judge.
models=("$MODEL")
[ -n "$DRY_RUN" ] || models+=("$OUT/train/model")
for model in "${models[@]}"; do
  golongrl eval --bench "${BENCH:-long-context}" --model "$model" --engine vllm --server-python "${VLLM_PYTHON:-python3}" \
    --judge-model "${JUDGE:-deepseek-chat}" --judge-base-url "${JUDGE_URL:-http://127.0.0.1:8001/v1}" \
    --data "${ROWS:-rows}" --out "$OUT/eval-$(basename "$model")" $DRY_RUN
done

# 4. Is the difference real?
if [ -z "$DRY_RUN" ]; then
  golongrl compare "$OUT/eval-$(basename "$MODEL")" "$OUT/eval-model" --out "$OUT/compare"
fi
