# exit: 1
# A model of Hugging Face's through our folder and back: the same tensors under the old names.
hf=$project/tests/golden/hf
"$mdf" import -q "$hf/new_f16_shards" --out ours
"$mdf" import -q "$hf/old_f32_shards" --lora "$hf/lora" --out tuned
"$mdf" export -q --model ours --format hf --dtype f16 --out theirs
"$mdf" info --tensors theirs | grep -E 'lm_head|class_embedding|cross_attn_attn_gate|projector.bias'
grep -c . theirs/config.json
"$mdf" export -q --model theirs --format hf --dtype bf16 --out ours
