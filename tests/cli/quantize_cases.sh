# --cases: what quantising changes in the answers, beside the error of every tensor; nothing changes where everything stays.
model=$project/tests/golden/model
"$mdf" data synth -q --patients 4 --size 64 a >/dev/null
"$mdf" quantize -q --model "$model" --out q8 --text q8_0 --cases a --limit 5 | grep -A6 -E '^q8:' | sed -E 's/[0-9]+(\.[0-9]+)?(e-?[0-9]+)?/N/g'
keep=()
for part in text vision projector embeddings unet fusion; do keep+=("--$part" keep); done
"$mdf" quantize -q --json --model "$model" --out same "${keep[@]}" --cases a --limit 0 |
    sed -n '/"cases"/,$p' | grep -E '"(count|next_token|label|max|rms|kl|changed|changed_share)"'
"$mdf" quantize -q --model "$model" --out none --cases a --split test
echo "exit code $?"
"$mdf" quantize -q --model "$model" --out none --cases nowhere
echo "exit code $?"
[ ! -e none ] || echo "none was made"
"$mdf" quantize -q --model "$model" --out none --split test
echo "exit code $?"
