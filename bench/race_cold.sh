#!/bin/bash
# race_cold.sh WORK [THREADS] [ROUNDS]: seconds from the start of a process to the first token of its answer,
# mdf against transformers on PyTorch, in turns, both with the same folders in float32, which are in
# the page cache: SmolLM2-135M-Instruct with a question, and the Llama 3.2 Vision of make_mllama.py with
# a question about a picture of one tile. Both must read as many tokens and answer with the same one.
# WORK: of race_mllama.sh, which makes what is missing there. MDF, PYTHON, SMOL: as there.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { echo "usage: race_cold.sh WORK [THREADS] [ROUNDS]" >&2; exit 2; }
work=$1
threads=${2:-2}
rounds=${3:-5}
mdf=${MDF:-build/mdf}
python=${PYTHON:-python3}
question="Is the optic disc of this eye pale?"
export OMP_NUM_THREADS=$threads PYTHON=$python MDF=$mdf HF_HUB_OFFLINE=1
TIMEFORMAT=%R

bench/fetch_smol.sh "$work"
[ -e "$work/smollm2-hf/config.json" ] ||
    "$mdf" export -q --model "$work/smollm2" --format hf --dtype f32 --out "$work/smollm2-hf" >/dev/null
[ -e "$work/mllama.mdf/config.json" ] ||
    "$python" bench/make_mllama.py --tokenizer "$work/smollm2/tokenizer.json" --out "$work/mllama"
[ -e "$work/picture.png" ] || "$python" - "$work/picture.png" <<'PY'
import sys

import numpy
from PIL import Image

y, x = numpy.mgrid[0:560, 0:560]
Image.fromarray(numpy.stack([x * 255 // 559, y * 255 // 559, (x * y) % 251], 2).astype(numpy.uint8)).save(sys.argv[1])
PY
cat "$work"/smollm2-hf/*.safetensors "$work"/mllama/*.safetensors >/dev/null # into the page cache

# row who command...: one line with the time; what it printed goes to WORK/answer.
clock() {
    local row=$1 who=$2 seconds
    shift 2
    seconds=$({ time "$@" >"$work/answer" 2>"$work/log"; } 2>&1) || { cat "$work/log" >&2; exit 1; }
    printf '%s\t%s\t%s\n' "$row" "$who" "$seconds" >>"$work/race_cold.tsv"
}

# row, theirs, ours, [picture]: one turn of each; the answers are the same.
turn() {
    local row=$1 theirs=$2 ours=$3 image=${4:-}
    clock "$row" transformers "$python" bench/race_cold.py --threads "$threads" --model "$theirs" --ask "$question" \
        ${image:+--image "$image"}
    local answer
    answer=$(tail -n 1 "$work/answer")
    clock "$row" mdf "$mdf" predict -q --json --threads "$threads" --model "$ours" --ask "$question" --max-tokens 1 \
        ${image:+"$image"}
    "$python" - "$work/answer" "$row" "$answer" <<'PY'
import json, sys

reply = json.load(open(sys.argv[1]))
reply = reply[0] if isinstance(reply, list) else reply
mine = f"{reply['prompt_tokens']} {reply['tokens'][0]}"
if mine != sys.argv[3]:
    sys.exit(f"{sys.argv[2]}: tokens read and answered are {mine}, transformers' {sys.argv[3]}")
PY
}

: >"$work/race_cold.tsv"
for ((i = 0; i < rounds; i++)); do
    turn "question, SmolLM2-135M" "$work/smollm2-hf" "$work/smollm2-hf"
    turn "picture and question, 330 M" "$work/mllama" "$work/mllama.mdf" "$work/picture.png"
done
"$python" bench/ratios.py --bar =5 <"$work/race_cold.tsv"
