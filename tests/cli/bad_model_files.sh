# Model files that are wrong in one place each: a sentence that names it, and nothing is written.
hf=$project/tests/golden/hf
try() {
    "$mdf" "$@" >/dev/null
    echo "exit code $?"
    [ ! -e out ] || find out
}
fresh() {
    rm -rf m
    cp -r "$hf/old_f32_shards" m
    chmod -R u+w m
}
two=m/model-00002-of-00003.safetensors
up=language_model.model.layers.0.mlp.gate_proj.weight
fresh && try import -q --out ok m && rm -rf ok
fresh && rm $two && try import -q --out out m                                             # missing shard
fresh && sed -i 's/"intermediate_size": 32/"intermediate_size": 48/' m/config.json && try import -q --out out m # shape
fresh && sed -i "s/\"$up\":{\"dtype\":\"F32\"/\"$up\":{\"dtype\":\"I32\"/" $two && try import -q --out out m &&
    try graft -q --model m --config tiny --out out # number format
fresh && sed -i 's/layers.0.mlp.gate_proj/layers.9.mlp.gate_proj/' m/*.index.json && try import -q --out out m
fresh && sed -i 's/\[3072,5120\]/[3071,5119]/' $two && try import -q --out out m           # overlapping
fresh && head -c 30000 "$hf/old_f32_shards/${two#m/}" >$two && try info m                    # cut
fresh && printf '\0\0\300\177' | dd of=$two bs=1 seek=$(($(stat -c %s $two) - 4)) conv=notrunc status=none &&
    try info m && try info --check-tensors m
fresh && sed -i 's/mllama"/mamba"/' m/config.json && try info m
gguf=$project/tests/golden/gguf_tokenizer/smollm.gguf
head -c 20000 "$gguf" >cut.gguf && try import -q --out out cut.gguf
cp "$gguf" lie.gguf && printf '\377\377\377\377\377\377\377\177' | dd of=lie.gguf bs=1 seek=8 conv=notrunc status=none &&
    try info lie.gguf # tensors
cp "$gguf" lie.gguf && printf '\377\377\377\377\0' | dd of=lie.gguf bs=1 seek=24 conv=notrunc status=none &&
    try info lie.gguf # the first key's length
"$mdf" init -q --config tiny --set tokenizer=bpe --set 'answer_config.labels=["a","b"]' --out bpe >/dev/null
tokenizer=$project/tests/golden/tokenizer/llama3.json
sed 's/"merges": *\[/&"a bc d",/' "$tokenizer" >bpe/tokenizer.json && try predict -q --model bpe "$project/tests/golden/image/grey.png"
sed 's/"merges": *\[/&"a nothing",/' "$tokenizer" >bpe/tokenizer.json && try predict -q --model bpe "$project/tests/golden/image/grey.png"
head -c 2000 "$tokenizer" >bpe/tokenizer.json && try predict -q --model bpe "$project/tests/golden/image/grey.png"
