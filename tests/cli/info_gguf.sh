# Keys, number formats and parts of a GGUF file; of one that is no Llama, why not.
golden=$project/tests/golden
"$mdf" info --tensors "$golden/gguf_tokenizer/smollm.gguf"
cp "$golden/gguf/tiny.gguf" other.gguf
"$mdf" info --check-tensors --json other.gguf
