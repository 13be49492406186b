#!/bin/bash
# fuzz.sh BUILD SECONDS: runs every fuzz target of the build for that long, starting from its corpus.
# New inputs stay in BUILD/corpus; a crash is kept as BUILD/crashes/<target>-* and ends the run.
set -euo pipefail
build=$1
seconds=$2
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$build/crashes"
found=0
for target in "$build"/tests/fuzz/fuzz_*; do
    if [ ! -x "$target" ] || [ -d "$target" ]; then continue; fi
    name=$(basename "$target")
    name=${name#fuzz_}
    work=$build/corpus/$name
    mkdir -p "$work"
    dictionary=()
    if [ -f "$root/tests/fuzz/$name.dict" ]; then
        dictionary=("-dict=$root/tests/fuzz/$name.dict")
    fi
    echo "== $name, $seconds s"
    OMP_NUM_THREADS=1 "$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 \
        -print_final_stats=1 -artifact_prefix="$build/crashes/$name-" "${dictionary[@]}" \
        "$work" "$root/tests/fuzz/corpus/$name" 2>&1 | tail -n 12
    found=$((found + 1))
done
if [ "$found" = 0 ]; then
    echo "fuzz.sh: no targets in $build" >&2
    exit 1
fi
echo "$found targets, no crash"
