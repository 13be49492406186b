# exit: 1
# Folders without labels: a text model has a prompt and tokens, a vision model also a picture of as many
# tiles as it has room for. The logits are as many floats as there are tokens.
hf=$project/tests/golden/hf
"$mdf" bench --quiet --json --threads 1 --repeat 2 --prompt 7 --tokens 3 --logits out.f32 --model "$hf/llama_f32" >text.json
grep -oE '"(what|shape)": "[^"]*"' text.json
grep -c tokens_per_second text.json
echo $((4 * $(grep -o '"vocab_size": [0-9]*' "$hf/llama_f32/config.json" | grep -o '[0-9]*') - $(wc -c <out.f32)))
# Keys and values: 3 layers of one head of 8 numbers, room for 7 + 3 tokens and a tree of 16; 2 or 4 bytes each.
grep -o '"kv_bytes": [0-9]*' text.json
echo "$((2 * 3 * 8 * 26 * 2)) $((2 * 3 * 8 * 26 * 4))"
"$mdf" bench --quiet --json --threads 1 --repeat 1 --prompt 7 --tokens 3 --kv-type f32 --model "$hf/llama_f32" | grep -o '"kv_bytes": [0-9]*'
"$mdf" bench --quiet --json --threads 1 --repeat 1 --prompt 3 --tokens 0 --tiles 4 --model "$hf/old_f32_shards" >vision.json
grep -oE '"(what|shape)": "[^"]*"' vision.json
"$mdf" bench --quiet --threads 1 --tiles 5 --model "$hf/old_f32_shards"
echo "exit code $?"
"$mdf" bench --quiet --threads 1 --kv-type q8_0 --model "$hf/llama_f32"
