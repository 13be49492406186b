# A learning rate and a decay that are allowed, but absurd: every step multiplies the weights by -9 until the
# loss is no number. One sentence, and the checkpoint of the epoch before goes on as if nothing had been.
. "$project/tests/cli/tiny_run.bash"
wild=(--set epochs=50 --set eval_every=50 --set lr=10 --set lr_unet=10 --set lr_vision=10 --set lr_fusion=10 --set weight_decay=1 --set clip_norm=0)
tiny_data data
tiny_train data run --set epochs=1 >/dev/null
cp -r run before
tiny_train data run "${wild[@]}" --resume
echo "exit code $?"
same_files before run checkpoint.safetensors model.safetensors config.json
find run -name '*.??????' ! -name '*.jsonl' ! -name '*tfevents*' # no temporary file is left
tiny_train data run --set epochs=2 --threads 1 --resume >/dev/null
tiny_train data before --set epochs=2 --threads 1 --resume >/dev/null
same_files before run checkpoint.safetensors model.safetensors config.json
tiny_train data new "${wild[@]}"
echo "exit code $?"
find new -name '*.safetensors*'
printf '\0\0\300\177' | # the last number of the file becomes NaN
    dd of=before/model.safetensors bs=1 seek=$(($(stat -c %s before/model.safetensors) - 4)) conv=notrunc status=none
tiny_train data fine --init before
echo "exit code $?"
find fine -name '*.safetensors*'
