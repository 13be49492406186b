# A folder has one training at a time; its model can be evaluated and exported meanwhile, and what a
# killed training left is no obstacle.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
set -m # a background job of a script ignores SIGINT otherwise
tiny_exec="exec" tiny_train data run --threads 1 --set epochs=100000 >/dev/null 2>first.txt &
until [ -e run/checkpoint.safetensors ] || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
tiny_train data run --threads 1
echo "exit code $?"
tiny_train data run --threads 1 --set epochs=100000 --resume
echo "exit code $?"
"$mdf" eval --quiet --threads 1 --model run --data data --bootstrap 10 --json - | grep -c '^  "accuracy"'
"$mdf" export --quiet --model run --out model
{
    kill -KILL -- -$!
    wait $!
} 2>killed.txt # bash tells of the killed job
ls run/train.lock
tiny_train data run --threads 1 --set epochs=1 --resume | cut -d : -f 1
ls run/train.lock 2>/dev/null
cat first.txt
