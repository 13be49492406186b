# SIGKILL at any time: what is in the folder is whole, and the resumed run ends with the same bits as
# one that was never stopped.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
tiny_train data whole --threads 1 >/dev/null
set -m # a process group for the background job
# go_on: trains in parts, from the checkpoint when there is one.
go_on() {
    if [ -e parts/checkpoint.safetensors ]; then
        tiny_train data parts --threads 1 --resume
    else
        tiny_train data parts --threads 1
    fi
}
for rows in 1 3; do
    tiny_exec="exec" go_on >/dev/null &
    until [ -e parts/metrics.jsonl ] && [ "$(wc -l <parts/metrics.jsonl)" -ge $rows ]; do
        kill -0 $! 2>/dev/null || break
    done
    kill -KILL -- -$! && echo "killed"
    wait $! 2>/dev/null
    if [ -e parts/model.safetensors ]; then
        "$mdf" info parts/model.safetensors >/dev/null
    fi
done 2>killed.txt # bash tells of the killed job
go_on >/dev/null
same_files whole parts model.safetensors checkpoint.safetensors config.json
grep -c '"step"' parts/metrics.jsonl
