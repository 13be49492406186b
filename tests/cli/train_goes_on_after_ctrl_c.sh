# SIGINT ends a training with a checkpoint and one sentence; the resumed run ends with the same bits
# as one that was never stopped.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
tiny_train data whole --threads 1 --set epochs=12 >/dev/null
set -m # a background job of a script ignores SIGINT otherwise
tiny_exec="exec" tiny_train data parts --threads 1 --set epochs=12 >out.txt 2>err.txt &
until [ -s parts/metrics.jsonl ] || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
kill -INT -- -$!
wait $!
echo "exit code $?"
sed 's/step [0-9]*/step N/' err.txt
tiny_train data parts --threads 1 --set epochs=12 --resume >/dev/null
same_files whole parts model.safetensors checkpoint.safetensors config.json
find parts -name '*.??????' ! -name '*.jsonl' ! -name '*tfevents*' # no temporary file is left
grep -c '"step"' parts/metrics.jsonl
