#!/bin/bash
# left_out.sh ROOT CHECKPOINT OUT CAMERA [SEED]: the picture alone on a camera that nobody trained on.
#
# ROOT holds the data sets odir5k, palm, malaysia_dr and hei_med; CAMERA is one of the last three. Both sides learn from
# the training splits of the other three: mdf by the picture stages of presets/small-lite0.json, the rival
# (bench/rival_lite0.py) by its own recipe, both from CHECKPOINT, EfficientNet-lite0's ImageNet weights as published. Both
# choose their epoch on ODIR's validation split and are measured on all photographs of CAMERA. MDF is the program,
# PYTHON an interpreter with bench/requirements.txt. What is done already in OUT is not done again.
set -euo pipefail
[ $# -ge 4 ] || { sed -n '2p' "$0" >&2; exit 2; }
root=$1 checkpoint=$2 out=$3 camera=$4 seed=${5:-1}
mdf=${MDF:-build/mdf} python=${PYTHON:-python3}
here=$(cd "$(dirname "$0")" && pwd)
name=$out/$camera-$seed
mkdir -p "$out"

case $camera in
palm) labels=normal,myopia ;;
malaysia_dr | hei_med) labels=normal,dr ;;
*) echo "left_out.sh: $camera is none of palm, malaysia_dr, hei_med" >&2; exit 2 ;;
esac
sets=()
list=
for set in odir5k palm malaysia_dr hei_med; do
    if [ "$set" != "$camera" ]; then
        sets+=(--data "$root/$set")
        list=$list${list:+,}$set
    fi
done

if [ ! -e "$name/stage-2.done" ]; then
    resume=()
    [ ! -e "$name" ] || resume=(--resume)
    "$mdf" train --config "$here/../presets/small-lite0.json" --encoder "$checkpoint" "${sets[@]}" --seed "$seed" \
        --stages 1-2 --out "$name" "${resume[@]}"
    touch "$name/stage-2.done"
fi
[ -s "$name.mdf.json" ] || "$mdf" eval --model "$name/stage-2" --data "$root/$camera" --split train --text-as none \
    --no-masks --labels $labels --json "$name.mdf.json"
[ -s "$name.rival/$camera.json" ] || "$python" "$here/rival_lite0.py" --checkpoint "$checkpoint" --root "$root" \
    --train "$list" --test "$camera" --seed "$seed" --probabilities "$name.rival" >"$name.rival.json"
"$python" "$here/compare_runs.py" "$name.mdf.json" "$name.rival/$camera.json"
