# A limit of the size of files stands for the full disk. The run that was there stays as it was.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
tiny_train data run --set epochs=1 >/dev/null
cp -r run before
kib=$(($(stat -c %s run/checkpoint.safetensors) / 2048))
(ulimit -f $kib && tiny_train data run --set epochs=2 --resume)
echo "exit code $?"
same_files before run checkpoint.safetensors
(ulimit -f 8 && tiny_train data new --set epochs=1)
echo "exit code $?"
find new -type f -size +8k
"$mdf" data synth --quiet --patients 7 --size 64 other >/dev/null
(ulimit -f 1 && "$mdf" data synth --quiet --patients 7 --size 64 small)
echo "exit code $?"
[ ! -e small/metadata.csv ] || echo "a table was written"
