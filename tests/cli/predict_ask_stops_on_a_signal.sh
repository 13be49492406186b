# exit: 1
# Ctrl-C ends an answer: what was said stays, and the exit code tells.
questions=()
for ((i = 0; i < 3000; i++)); do questions+=(--ask "Question $i?"); done
"$mdf" predict -q --model "$project/tests/golden/ask/text" "${questions[@]}" >out &
while [ ! -s out ] && kill -0 $! 2>/dev/null; do sleep 0.05; done
kill -INT $!
wait $!
code=$?
head -1 out
exit $code
