#!/bin/bash
# race_llama.sh WORK [THREADS] [ROUNDS]: text models in blocks of 8 and 4 bits, mdf against llama.cpp's
# llama-bench, in turns: a prompt of 256 tokens, and single tokens from an empty context. Both read the same
# bytes: mdf's folders are imported from the GGUF files that llama-bench is given.
#
# WORK: folder for llama.cpp and the models; what is there is used again. It needs 27 GB, and memory
# for both copies of a model (17 GB) so that neither side waits for the disk.
# MDF: the program. PYTHON: an interpreter with gguf and numpy.
# SMOL: SmolLM2-135M-Instruct as GGUF; without it, it's taken from PyPI (fetch_smol.sh).
# LLAMA_SOURCE, LLAMA_BUILD: llama.cpp's sources and a build of them; without them, those of PyPI's
# llama-cpp-python are fetched and built for this very machine (GGML_NATIVE).
# MODELS="smollm2 8b", TYPES="q8_0 q4_0": which ones.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { echo "usage: race_llama.sh WORK [THREADS] [ROUNDS]" >&2; exit 2; }
work=$1
threads=${2:-2}
rounds=${3:-5}
mdf=${MDF:-build/mdf}
python=${PYTHON:-python3}
models=${MODELS:-smollm2 8b}
types=${TYPES:-q8_0 q4_0}
version=0.3.36 # of llama-cpp-python
prompt=256
source=${LLAMA_SOURCE:-$work/llama_cpp_python-$version/vendor/llama.cpp}
build=${LLAMA_BUILD:-$work/llama-build}
export OMP_NUM_THREADS=$threads
mkdir -p "$work"

build_llama() {
    if [ ! -d "$source" ]; then
        "$python" -m pip download -q --no-deps --no-binary llama-cpp-python -d "$work" "llama-cpp-python==$version"
        tar xzf "$work/llama_cpp_python-$version.tar.gz" -C "$work"
    fi
    if [ ! -x "$build/bin/llama-bench" ]; then
        cmake -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_BUILD_TOOLS=ON \
            -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_MTMD=OFF \
            -DLLAMA_BUILD_UI=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF >"$work/llama-cmake.log"
        cmake --build "$build" --target llama-bench -j "$threads" >"$work/llama-build.log"
    fi
    cc -O2 -o "$work/llama_logits" bench/llama_logits.c -I"$source/include" -I"$source/ggml/include" \
        -L"$build/bin" -Wl,-rpath,"$(cd "$build/bin" && pwd)" -lllama -lggml -lggml-base -lm
}

# model type: the GGUF file and the folder of it.
make_model() {
    local name=$work/$1-$2
    if [ ! -e "$name.gguf" ]; then
        case $1 in
        smollm2) "$python" bench/make_gguf.py --source "$work/smollm2.gguf" --type "$2" --out "$name.gguf" ;;
        *) "$python" bench/make_gguf.py --shape "$1" --type "$2" --out "$name.gguf" ;;
        esac
    fi
    [ -e "$name/config.json" ] || "$mdf" import -q "$name.gguf" --out "$name"
}

# model type: both get the same logits.
check_answers() {
    "$mdf" bench -q --threads "$threads" --model "$work/$1-$2" --prompt 32 --tokens 0 --repeat 1 \
        --logits "$work/logits.f32" --force >/dev/null
    echo -n "$1 $2: "
    "$work/llama_logits" "$work/$1-$2.gguf" 32 "$threads" "$work/logits.f32"
}

# model type: one turn of each. The small model's turns are medians of five after one for warming up. A
# large one is read once before (llama.cpp: 16 tokens; mdf: a plain read) and then timed once.
turn() {
    local file=$work/$1-$2 repeat=5 tokens=64 first=()
    if [ "$1" != smollm2 ]; then
        repeat=1 tokens=32 first=(--no-warmup -p 16)
    fi
    "$build/bin/llama-bench" -m "$file.gguf" -t "$threads" "${first[@]}" -p "$prompt" -n "$tokens" -r "$repeat" -o json \
        >"$work/llama.json" 2>/dev/null
    "$mdf" bench -q --json --threads "$threads" --model "$file" --prompt "$prompt" --tokens 0 --repeat "$repeat" \
        >"$work/prompt.json"
    "$mdf" bench -q --json --threads "$threads" --model "$file" --prompt 1 --tokens "$tokens" --repeat "$repeat" \
        >"$work/token.json"
    "$python" - "$work" "$1 $2" "$prompt" <<'PY'
import json, pathlib, statistics, sys

work, model, prompt = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for test in json.loads((work / "llama.json").read_text()):
    rate = statistics.median(test["samples_ts"])
    if test["n_prompt"] == prompt:
        print(f"{model}, prompt\tllama.cpp\t{rate}")
    elif test["n_gen"] > 0:
        print(f"{model}, token\tllama.cpp\t{rate}")
for what in ("prompt", "token"):
    row = [r for r in json.loads((work / f"{what}.json").read_text())["operations"] if r["what"] == what][0]
    print(f"{model}, {what}\tmdf\t{row['tokens_per_second']}")
    if what == "token":
        print(f"{model}, token, share of a plain read\tmdf\t{row['share_of_peak']}")
PY
}

build_llama
PYTHON=$python MDF=$mdf bench/fetch_smol.sh "$work"
: >"$work/race_llama.tsv"
for type in $types; do
    for model in $models; do
        make_model "$model" "$type"
        cat "$work/$model-$type.gguf" "$work/$model-$type"/*.safetensors >/dev/null # into the page cache
        check_answers "$model" "$type"
        for ((i = 0; i < rounds; i++)); do
            turn "$model" "$type" >>"$work/race_llama.tsv"
        done
    done
done
grep -v share "$work/race_llama.tsv" | "$python" bench/ratios.py --unit tokens/s --higher --bar =1
grep share "$work/race_llama.tsv" | "$python" bench/ratios.py --unit "(bar 0.8)" --higher
