# exit: 1
# Files of kinds that are not read are called by their name: tables, archives, adapters in GGUF, formats
# of numbers.
adapter=$project/tests/golden/gguf/adapter.gguf
printf 'PAR1\25\4\25\120PAR1' >table.parquet
printf 'PK\3\4' >pytorch_model.bin
"$mdf" info table.parquet
"$mdf" import table.parquet --out out
"$mdf" info pytorch_model.bin
"$mdf" import pytorch_model.bin --out out
"$mdf" info "$adapter" | grep -E 'general.type|no_import' | sed 's/"[^"]*golden/"golden/'
cp "$adapter" adapter.gguf
"$mdf" import adapter.gguf --out out
"$mdf" import "$project/tests/golden/gguf_model/llama.gguf" adapter.gguf --out out
at=$(grep -abo 'attn_q.weight.lora_a' adapter.gguf | cut -d: -f1)
printf '\24' | dd of=adapter.gguf bs=1 seek=$((at + 20 + 4 + 16)) conv=notrunc status=none # behind rank and shape
"$mdf" info adapter.gguf
"$mdf" import adapter.gguf --out out
code=$?
[ ! -e out ] || echo 'something was left'
exit $code
