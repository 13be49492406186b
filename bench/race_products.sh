#!/bin/bash
# race_products.sh WORK [THREADS] [ROUNDS] [ONLY]: single products with weights in blocks, ggml against mdf,
# in turns within one process; see race_products.cpp. WORK, LLAMA_SOURCE, LLAMA_BUILD: as for
# race_llama.sh, which must have built llama.cpp. BUILD: mdf's build folder. ISA: mdf's kernels, as in
# mdf --isa; llama.cpp's are those that it was built for.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { echo "usage: race_products.sh WORK [THREADS] [ROUNDS] [ONLY]" >&2; exit 2; }
work=$1
threads=${2:-2}
build=${BUILD:-build}
source=${LLAMA_SOURCE:-$work/llama_cpp_python-0.3.36/vendor/llama.cpp}
llama=$(cd "${LLAMA_BUILD:-$work/llama-build}/bin" && pwd)
export OMP_NUM_THREADS=$threads
mkdir -p "$work"
cc -std=gnu11 -O2 -Wall -Wextra -fopenmp -c -o "$work/race_products.o" bench/race_products.c -Isrc -Iinclude
# shellcheck disable=SC2046 # one word per library
c++ -std=c++17 -O2 -Wall -Wextra -fopenmp -o "$work/race_products" bench/race_products.cpp "$work/race_products.o" \
    -Ibench -I"$source/ggml/include" "$build/src/libmdf.a" -L"$llama" -Wl,-rpath,"$llama" -lggml -lggml-base -lggml-cpu \
    -ldnnl $(pkg-config --libs jansson vips cairo libpcre2-8 libcurl) -lm -lpthread
"$work/race_products" "$threads" "${3:-5}" "${4:-}"
