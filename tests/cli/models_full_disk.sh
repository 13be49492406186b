# Models that do not fit on the disk: one sentence of each command that makes one, and no folder.
hf=$project/tests/golden/hf
"$mdf" init -q --config tiny --seed 7 --out a >/dev/null
"$mdf" export -q --model a --format hf --out b >/dev/null
head -c 1000000 /dev/zero >b/tokenizer.json # small weights, and beside them a file that does not fit
try() {
    (ulimit -f "$1" && "$mdf" "${@:2}")
    echo "exit code $?"
    [ ! -e c ] || find c
}
for room in 40 1; do
    try $room init -q --config tiny --out c
    try $room quantize -q --model a --text q8_0 --out c
    try $room graft -q --model "$hf/llama_f32" --config tiny --out c
    try $room export -q --model a --format hf --out c
    try $room import -q --dtype f32 --out c "$hf/old_bf16"
    try $room import -q --dtype f32 --out c "$project/tests/golden/gguf_tokenizer/smollm.gguf"
done
try 900 export -q --model b --format hf --out c
try 900 import -q --out c b
