# exit: 1
# A random model, smaller, counted: the parts sum, and the same seed gives the same bytes.
"$mdf" init -q --config tiny --seed 7 --out a
"$mdf" init -q --config tiny --seed 7 --threads 1 --out b
cmp a/model.safetensors b/model.safetensors && echo same
"$mdf" quantize -q --model a --text q8_0 --vision keep --unet bf16 --out c | grep -E '^c:|lm_head|layers.1.mlp.up'
"$mdf" info --check-tensors c | grep -E '^weights.(files|types|parts)'
"$mdf" quantize -q --model c --out d
code=$?
[ ! -e d ] || echo "d was made"
exit $code
