# exit: 1
# A GGUF file as a folder that the other commands take, with its tokenizer; one whose merges are
# broken without; a cut one not at all.
golden=$project/tests/golden
"$mdf" import -q "$golden/gguf_tokenizer/smollm.gguf" --out small
(cd small && echo ./*)
"$mdf" info small | grep -E 'total|types'
"$mdf" graft -q --model small --config tiny --cross-layers 1 --out grafted
"$mdf" import "$golden/gguf_model/mllama.gguf" --dtype bf16 --out vision 2>&1 | sed 's/^.*golden/golden/'
head -c 9000 "$golden/gguf_model/llama.gguf" >cut.gguf
"$mdf" import cut.gguf --out cut
code=$?
[ ! -e cut ] || echo 'something was left'
exit $code
