#!/usr/bin/env bash
# Your own documents to an audited dataset, ready for `golongrl train`.
set -euo pipefail

DOCUMENTS=${DOCUMENTS:-my-documents}     # txt, md, html, LaTeX, tables, dialogues, archives ...
TOKENIZER=${TOKENIZER:-approx}           # the folder or hub id of the model you will train
OUT=${OUT:-dataset}
BINS=${BINS:-4k,16k}
TARGET=${TARGET:-500}

# 1. What would come of it? Documents, records, tokens and time per stage, from a sample.
golongrl build-dataset "$DOCUMENTS" --tokenizer "$TOKENIZER" --length-bins "$BINS" --target "$TARGET" --dry-run

# 2. Build: same seed, same bytes; after Ctrl-C or a crash the same line goes on.
golongrl build-dataset "$DOCUMENTS" --out "$OUT" --tokenizer "$TOKENIZER" --length-bins "$BINS" --target "$TARGET"

# 3. Gold answers must earn 1, attacks nothing.
golongrl verify-rewards "$OUT/train.parquet"

# 4. Look at it: the funnel, what was refused and why, every record with its evidence marked.
echo "open $OUT/report.html and $OUT/README.md"
