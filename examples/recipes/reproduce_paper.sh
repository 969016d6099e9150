#!/usr/bin/env bash
# The recipe's runs on 16 machines of 8 GPUs, from a node of their Ray cluster (docs/cluster.md). SIZE=4b: TMN-Reweight,
# on a random 8K records; SIZE=30b: plain GRPO, on all 23K. DRY_RUN=--dry-run shows each step and starts nothing.
set -euo pipefail

SIZE=${SIZE:-4b}
case $SIZE in
  4b)  NAME=Qwen3-4B-Thinking-2507      PRESET=qwen3-4b      ALGO=${ALGO:-tmn-reweight} ;;
  30b) NAME=Qwen3-30B-A3B-Thinking-2507 PRESET=qwen3-30b-a3b ALGO=${ALGO:-grpo} ;;
  *)   echo "SIZE=$SIZE: write 4b or 30b" >&2; exit 2 ;;
esac
MODEL=${MODEL:-models/$NAME}             # a folder: hf download Qwen/$NAME --local-dir models/$NAME
DATA=${DATA:-dataset/train.parquet}      # Kwai-Klear/GoLongRL's rows, or your own from build-dataset
OUT=${OUT:-runs/$SIZE}
DRY_RUN=${DRY_RUN:-}

# 1. Are the rewards sound? Training asks the same of a sample; this asks it of all.
golongrl verify-rewards "$DATA" --out "$OUT/audit"

# 2. The recipe's settings: 163,840 + 16,384 tokens, 128 prompts x 16 rollouts, IcePop, lr 2e-6.
golongrl train --preset "$PRESET" --algo "$ALGO" --model "$MODEL" --data "$DATA" --out "$OUT/train" \
  --ray-address auto $DRY_RUN

# 3. Before and after, on the recipe's long-context benchmarks, with its sampling (the defaults of eval).
#    Served with vLLM from an interpreter of its own, with YaRN where prompts need it; JUDGE_URL serves the judge.
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
