#!/bin/bash
# predict_cold.sh MODEL IMAGE [ROUNDS]: seconds of `mdf predict`, from the start of the process to the
# printed result, by the shell's clock; the median of five. MDF: the program.
set -euo pipefail
mdf=${MDF:-$(dirname "$0")/../build/mdf}
model=$1
image=$2
rounds=${3:-5}
TIMEFORMAT=%R
for ((i = 0; i < rounds; i++)); do
    { time "$mdf" predict -q --threads "${THREADS:-2}" --model "$model" "$image" >/dev/null 2>&1; } 2>&1
done | sort -n | awk '{ t[NR] = $1 } END { print "median " t[int((NR + 1) / 2)] " s of " NR ": " t[1] " to " t[NR] }'
