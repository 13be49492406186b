# What other programs leave in a model's folder: UTF-8 marks, endless lengths, pointers of Git LFS, other models.
hf=$project/tests/golden/hf
fresh() {
    rm -rf m
    cp -r "$hf/$1" m
    chmod -R u+w m
}
try() {
    "$mdf" "$@"
    echo "exit code $?"
    rm -rf out
}
# Every JSON file begins with a mark and has a whole number of more than 64 bits.
marked() {
    for file in m/*.json; do
        sed -i '1s/^/\xef\xbb\xbf/' "$file"
    done
}
fresh old_f32_shards && marked && try import -q --out out m
fresh lora && cp -r m adapter && fresh old_f32_shards && sed -i '1s/^/\xef\xbb\xbf/' adapter/*.json && try import -q --lora adapter --out out m
cp -r "$project/tests/golden/ask/vision" v && chmod -R u+w v
printf '{"chat_template": null, "model_max_length": 1000000000000000019884624838656}' >v/tokenizer_config.json
cp v/tokenizer.json plain.json
for file in v/*.json; do
    sed -i '1s/^/\xef\xbb\xbf/' "$file"
done
"$mdf" predict -q --model "$project/tests/golden/ask/vision" --max-tokens 3 --ask 'What is it?' >want
"$mdf" predict -q --model v --max-tokens 3 --ask 'What is it?' | cmp - want && echo the same answer
# Pointers.
pointer() {
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12345\n' 7 >"$1"
}
fresh llama_f32 && pointer m/model.safetensors && try import -q --out out m && try info m/model.safetensors
fresh old_f32_shards && pointer m/model-00002-of-00003.safetensors && try import -q --out out m
pointer v/tokenizer.json && try predict -q --model v --ask 'What is it?'
pointer m.gguf && try import -q --out out m.gguf && try info m.gguf
pointer eye.png && try predict -q --model "$project/models/small" eye.png
# A file in place of a folder.
cp "$project/tests/golden/gguf_tokenizer/smollm.gguf" . && try predict -q --model smollm.gguf --ask 'What is it?'
try predict -q --model plain.json --ask 'What is it?'
