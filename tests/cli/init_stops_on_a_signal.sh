# exit: 1
# A signal ends the work with one sentence, and nothing stays.
"$mdf" init --quiet --config llama-3.2-11b-vision --out a &
pid=$!
until [ -d a ]; do sleep 0.05; done
kill -TERM $pid
wait $pid
code=$?
[ ! -e a ] || ls a
exit $code
