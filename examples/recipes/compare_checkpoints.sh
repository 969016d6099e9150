#!/usr/bin/env bash
# Is checkpoint B better than A? The same questions to both, then paired differences with intervals.
set -euo pipefail

A=${A:-runs/train/a/model}               # model folders, or names that BASE_URL serves
B=${B:-runs/train/b/model}
BENCH=${BENCH:-mrcr-128k}
OUT=${OUT:-runs/a-vs-b}
OPTIONS=${OPTIONS:-}                     # such as --base-url URL, --data FILE, --limit N

for side in A B; do
  golongrl eval --bench "$BENCH" --model "${!side}" --repeats "${REPEATS:-4}" --out "$OUT/$side" $OPTIONS
done

# The verdict, or how large a difference could have been seen with these questions, and how many it would take.
golongrl compare "$OUT/A" "$OUT/B" --out "$OUT/compare"
echo "open $OUT/compare/report.html"
