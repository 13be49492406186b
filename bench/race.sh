#!/bin/bash
# race.sh [THREADS] [ROUNDS]: one training step by mdf and by PyTorch, in turns, so that both meet the
# same disturbances. Prints the median of the processes' medians and the largest peak memory.
# PYTHON: an interpreter with torch; MDF: the program.
set -euo pipefail
cd "$(dirname "$0")/.."
threads=${1:-2}
rounds=${2:-5}
python=${PYTHON:-python3}
mdf=${MDF:-build/mdf}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export OMP_NUM_THREADS=$threads

for ((i = 0; i < rounds; i++)); do
    "$mdf" bench -q --json --threads "$threads" --only unet >"$out/unet.mdf.$i"
    "$python" bench/race_unet.py --threads "$threads" >"$out/unet.torch.$i"
    "$mdf" bench -q --json --threads "$threads" --only step --config small --batch 16 >"$out/small.mdf.$i"
    "$python" bench/race_small.py --config presets/small.json --batch 16 --threads "$threads" >"$out/small.torch.$i"
    "$mdf" bench -q --json --threads "$threads" --only step --config small-lite0 --stage 1 --batch 16 >"$out/picture.mdf.$i"
    "$python" bench/race_picture.py --size 256 --batch 16 --threads "$threads" >"$out/picture.torch.$i"
done
"$python" - "$out" "$rounds" <<'END'
import json, pathlib, statistics, sys

out, rounds = pathlib.Path(sys.argv[1]), int(sys.argv[2])
for step, key in (("unet", "unet_step"), ("small", "model_step"), ("picture", "model_step")):
    seconds = {}
    for who in ("mdf", "torch"):
        runs = [json.loads((out / f"{step}.{who}.{i}").read_text()) for i in range(rounds)]
        runs = [r[key] if who == "mdf" else r for r in runs]
        seconds[who] = statistics.median(r["seconds"] for r in runs)
        print(f"{step} {who}: {seconds[who]:.3f} s (of {' '.join(format(r['seconds'], '.3f') for r in runs)}), "
              f"{max(r['peak_rss_mib'] for r in runs):.0f} MiB")
    print(f"{step}: mdf is {seconds['torch'] / seconds['mdf']:.2f} times as fast")
END
