# exit: 1
# Weights of torch.save give the same model as those of safetensors, to the byte; nothing of a pickle is run.
hf=$project/tests/golden/hf/llama_f32
torch=$project/tests/golden/torch
"$mdf" import -q "$hf" --out ours
for kind in llama llama_shards; do
    mkdir $kind
    cp "$hf/config.json" "$torch/$kind"/* $kind
    "$mdf" import -q $kind --out from_$kind
    cmp ours/model.safetensors from_$kind/model.safetensors && cmp ours/config.json from_$kind/config.json && echo "$kind: the same"
    "$mdf" info --check-tensors $kind | grep -E 'files|tensors|left_out' | grep weights
done
mkdir named
cp "$hf/config.json" named
cp "$torch/llama/pytorch_model.bin" named/weights.pth
"$mdf" import -q named/weights.pth --out from_named
cmp ours/model.safetensors from_named/model.safetensors && echo 'weights.pth: the same'
(cd named && "$mdf" import weights.pth --dtype f16 --out ../half)
"$mdf" quantize -q --model llama --text f16 --out eight
"$mdf" quantize -q --model ours --text f16 --out eight_too
cmp eight/model.safetensors eight_too/model.safetensors && echo 'quantised: the same'
"$mdf" import named --out none
"$mdf" import llama --out llama_shards
cp "$torch/types.pt" .
"$mdf" import types.pt --out none
"$mdf" info "$torch/shell_old.pt" | grep -E '^(tensors|numbers|left_out|types)|weight'
cp "$torch/shell.pt" unnamed
"$mdf" info unnamed | grep -c .
for hostile in system.pt system_4.pt system_old.pt module.pt packed.pt; do
    mkdir evil
    cp "$hf/config.json" evil
    cp "$torch/$hostile" evil/pytorch_model.bin
    "$mdf" import evil --out none
    echo "exit code $?"
    "$mdf" info evil/pytorch_model.bin
    rm -r evil
done
mkdir mistaken
cp "$hf/config.json" mistaken
cp "$hf/model.safetensors" mistaken/pytorch_model.bin
"$mdf" import mistaken --out none
: >mistaken/pytorch_model.bin
"$mdf" import mistaken --out none
head -c 20000 "$torch/llama/pytorch_model.bin" >mistaken/pytorch_model.bin
"$mdf" import mistaken --out none
code=$?
[ ! -e none ] && [ ! -e PWNED ] || echo 'something was left or run'
exit $code
