# What a file is, its first bytes say: caches of ollama and of the hub have no endings. A name counts only where
# the bytes say nothing.
golden=$project/tests/golden
same() { # FILE ITS COPY's NAME
    mkdir -p blobs
    cp "$1" "blobs/$2"
    chmod u+w "blobs/$2"
    "$mdf" info --json "$1" >want.json
    "$mdf" info --json "blobs/$2" | cmp - want.json && echo "$2: the same"
}
same "$golden/gguf_tokenizer/smollm.gguf" sha256-ab12
same "$golden/hf/llama_f32/model.safetensors" 3f1c
same "$golden/image/grey.png" grey.safetensors
same "$project/presets/tiny.json" tiny
same "$golden/gguf_tokenizer/smollm.gguf" weights.json
cp "$golden"/hf/old_f32_shards/* blobs
chmod -R u+w blobs
mv blobs/model.safetensors.index.json blobs/index
"$mdf" info blobs/index | grep -E "^(files|tensors):"
printf '\xef\xbb\xbf \n' | cat - "$project/presets/tiny.json" >blobs/marked
"$mdf" info --json blobs/marked | cmp - <("$mdf" info --json "$project/presets/tiny.json") && echo 'with a mark: the same'
refused() {
    "$mdf" info "$1"
    echo "exit code $?"
}
printf 'PK\3\4\0\0\10\10archive/data.pkl' >pytorch_model.bin && refused pytorch_model.bin
printf '\200\2\212\nl\374\234F\371 j\250P\31.' >old.pth && refused old.pth
printf 'hello' >x.safetensors && refused x.safetensors
printf 'hello' >x.gguf && refused x.gguf
printf 'hello' >x.json && refused x.json
printf 'hello' >x.safetensors.index.json && refused x.safetensors.index.json
printf 'hello' >x && refused x
: >empty && refused empty
refused nothing
