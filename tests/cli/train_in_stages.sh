# A recipe of two stages: each has its folder; killed in the second, the resumed run ends with the same
# bits. What is wrong with a stage is said before anything is trained.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
stages='[{"task": "picture", "epochs": 1, "augment": {"flip": false}}, {"epochs": 3, "freeze": ["unet.enc"]}]'
recipe=(--set answer_config.image_head=true --set "stages=$stages" --threads 1)
tiny_train data whole "${recipe[@]}" >/dev/null
ls -I "*tfevents*" whole whole/stage-1
grep -E '"(task|epochs|flip|freeze|stages)"' whole/stage-1/config.json whole/config.json
set -m # a process group for the background job
tiny_exec="exec" tiny_train data parts "${recipe[@]}" >/dev/null &
until [ -e parts/metrics.jsonl ] && [ "$(wc -l <parts/metrics.jsonl)" -ge 1 ]; do
    kill -0 $! 2>/dev/null || break
done
{ kill -KILL -- -$! && echo "killed" && wait $!; } 2>killed.txt # bash tells of the killed job
tiny_train data parts "${recipe[@]}"
echo "exit code $?"
tiny_train data parts "${recipe[@]}" --resume >/dev/null
same_files whole parts model.safetensors checkpoint.safetensors config.json
same_files whole/stage-1 parts/stage-1 model.safetensors checkpoint.safetensors config.json
try() {
    tiny_train data run --set answer_config.image_head=true --set "$1"
    echo "exit code $?"
    [ ! -e run ] || ls -R run
}
try 'stages=[{"epochs": 1}, {"epcohs": 2}]'
try 'stages=[{"lr": 11}]'
try 'stages=[{"stages": []}]'
try 'stages=[{"crop": {"sides": 1}}]'
try 'stages=[{"crop": {"side": 1}}]'
try 'stages=[{"augment": 1}]'
try 'stages=[{"use_image": false, "task": "picture"}]'
try 'stages=["task=picture"]'
try 'stages=[{},{},{},{},{},{},{},{},{}]'
try freeze=unet.encoder
try freeze=unet,mdf,lm_head,model
tiny_train data last "${recipe[@]}" --init whole/stage-1 --stages 2 >/dev/null # as the whole recipe's
same_files whole last model.safetensors config.json
tiny_train data pieces "${recipe[@]}" --stages 1-1 >/dev/null # and goes on later
ls pieces
tiny_train data pieces "${recipe[@]}" --resume >/dev/null
same_files whole pieces model.safetensors config.json
tiny_train data run "${recipe[@]}" --stages 2
tiny_train data run "${recipe[@]}" --init whole/stage-1 --stages 3
tiny_train data run "${recipe[@]}" --init whole/stage-1 --stages 2-3
tiny_train data run --init whole/stage-1 --stages 2
for bad in 0 2-1 1- 1-2x one 12; do tiny_train data run "${recipe[@]}" --stages "$bad"; done
[ ! -e run ] || ls -R run
