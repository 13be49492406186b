# exit: 1
# A signal ends the work with one sentence and without a table.
"$mdf" data synth --quiet --patients 100000 --size 256 a &
pid=$!
until [ -d a/images ]; do sleep 0.05; done
kill -TERM $pid
wait $pid
code=$?
[ ! -e a/metadata.csv ] || echo "a table was written"
exit $code
