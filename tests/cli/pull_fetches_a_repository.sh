# Address and token from the environment; what was fetched, and that a second time only what has no
# sum comes again.
export no_proxy='*'
"$hub_server" url 0 secret &
server=$!
until [ -s url ]; do sleep 0.05; done
MDF_HUB=$(cat url)
export MDF_HUB
export MDF_TOKEN=secret
"$mdf" pull org/tiny --out out
"$mdf" pull org/tiny --out out
echo secret >token
MDF_TOKEN=wrong "$mdf" pull org/tiny --token-file token --include '*.json' --out other --json |
    sed 's/"seconds": .*/"seconds": 0,/; s/\(127.0.0.1\):[0-9]*/\1/'
kill $server
find out other -type f | sort
yes | head -c 3000000 | cmp - out/sub/model.safetensors
