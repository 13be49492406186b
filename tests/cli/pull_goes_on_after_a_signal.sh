# A signal leaves the partial file and says how to go on; the same command does.
export no_proxy='*'
"$hub_server" url 40 &
server=$!
until [ -s url ]; do sleep 0.05; done
"$mdf" pull org/tiny --hub "$(cat url)" --out out &
pid=$!
until [ -n "$(find out -name '*.part' -size +100k 2>/dev/null)" ]; do sleep 0.05; done
kill -TERM $pid
wait $pid
echo "exit code $?"
find out -type f | sort
kill $server
rm url
"$hub_server" url &
server=$!
until [ -s url ]; do sleep 0.05; done
"$mdf" pull org/tiny --hub "$(cat url)" --out out --json | grep outcome
find out -type f | sort
yes | head -c 3000000 | cmp - out/sub/model.safetensors
kill $server
