# LoRA: what is trained is written as PEFT writes it, and is in the run's weights; what can't be had.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
tiny_train data base --threads 1 --set epochs=1 >/dev/null
lora=(--threads 1 --init base --set lora.r=3 --set lora_alpha=6 --set lr_lora=0.01 --set epochs=2)
alone=(--set 'freeze=["unet","mdf"]')

# The base with the adapter merged by `mdf import` is the run's model, to the bit.
tiny_train data run "${lora[@]}" "${alone[@]}" --set 'lora.target_modules=["q_proj","mlp.up_proj","multi_modal_projector"]' \
    --set lora_dropout=0.1 >/dev/null
"$mdf" import base --lora run/adapter --out merged >/dev/null
same_files run merged model.safetensors && echo "the same as merged"
cmp -s base/model.safetensors run/model.safetensors || echo "and another than the base"
tr -d '\n' <run/adapter/adapter_config.json | sed 's/"target_modules": \[[^]]*\]/"target_modules": [...]/; s/  */ /g'
echo
grep -o '"model[^"]*"' run/adapter/adapter_config.json | sed 's/\.[0-9]*\./.N./' | LC_ALL=C sort -u
"$mdf" info --tensors run/adapter/adapter_model.safetensors | grep -c '^base_model.model.model'
"$mdf" predict -q --model run data/images/P0001_left.png | head -1 | cut -f1

# Names of older transformers; every linear module; U-Net and fusion beside them.
tiny_train data old "${lora[@]}" --set 'lora.target_modules=["all-linear"]' --set lora.names=old --set use_rslora=true >/dev/null
"$mdf" info --tensors old/adapter/adapter_model.safetensors | grep -o '^base_model[^0-9]*' | LC_ALL=C sort -u
"$mdf" import base --lora old/adapter --out old-merged >/dev/null
cmp -s old/model.safetensors old-merged/model.safetensors || echo "the fusion was trained, too"

# What can't be had.
tiny_train data none "${lora[@]}" --set 'lora.target_modules=["k_prj"]'
echo "exit code $?"
tiny_train data none "${lora[@]}" --set 'lora.target_modules=[]'
echo "exit code $?"
tiny_train data none "${lora[@]}" --set lora.r=-1
echo "exit code $?"
