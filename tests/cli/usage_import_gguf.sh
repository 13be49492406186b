# exit: 2
golden=$project/tests/golden
"$mdf" import "$golden/gguf_model/llama.gguf" --lora "$golden/hf/lora" --out here
"$mdf" import "$golden/hf/llama_f32" two --out here
