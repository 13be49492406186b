# SIGINT twice ends the program at once, whatever it is doing: 130 is the shell's word for it.
set -m # jobs of their own process group, so that SIGINT is not ignored
"$mdf" data synth --quiet --patients 100000 --size 2048 a 2>/dev/null &
pid=$!
until [ -d a/images ]; do sleep 0.05; done
kill -INT $pid
sleep 0.3 # two pending signals would be one
kill -INT $pid
wait $pid 2>/dev/null
echo $?
