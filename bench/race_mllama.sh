#!/bin/bash
# race_mllama.sh WORK [THREADS] [ROUNDS]: a forward pass in float32 of a Llama 3.2 Vision of 330 million
# parameters, mdf against transformers on PyTorch, in turns; see race_mllama.py.
# WORK: folder for the models (1.4 GB); what is there is used again.
# MDF: the program. PYTHON: an interpreter with torch and transformers. SMOL: as for race_llama.sh, for its
# tokenizer.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { echo "usage: race_mllama.sh WORK [THREADS] [ROUNDS]" >&2; exit 2; }
work=$1
threads=${2:-2}
rounds=${3:-5}
mdf=${MDF:-build/mdf}
python=${PYTHON:-python3}
export OMP_NUM_THREADS=$threads PYTHON=$python MDF=$mdf

if [ ! -e "$work/mllama.plain/config.json" ]; then
    bench/fetch_smol.sh "$work"
    "$python" bench/make_mllama.py --tokenizer "$work/smollm2/tokenizer.json" --out "$work/mllama"
fi
cat "$work"/mllama/*.safetensors >/dev/null # into the page cache
"$python" bench/race_mllama.py --model "$work/mllama" --mdf "$mdf" --threads "$threads" --rounds "$rounds" \
    >"$work/race_mllama.tsv"
"$python" bench/ratios.py --bar "1 of 4 tiles, 120 tokens, mdf plain=1.3" --bar "4 of 4 tiles, 120 tokens, mdf plain=1.3" \
    --bar "1 of 4 tiles, 120 tokens, mdf=2.5" <"$work/race_mllama.tsv"
