# A token in a variable is for the hub in the variable beside it: this hub, which asks for exactly
# that token, does not get it.
export no_proxy='*'
"$hub_server" url 0 secret &
server=$!
until [ -s url ]; do sleep 0.05; done
hub=$(cat url)
refused() {
    "$mdf" pull --out here "$@"
    [ $? = 1 ] || echo "not refused: $*"
}
MDF_HUB=http://127.0.0.1:9 MDF_TOKEN=secret refused "$hub/org/tiny"
HF_ENDPOINT=https://hub.invalid HF_TOKEN=secret refused org/tiny --hub "$hub"
MDF_HUB=$hub HF_TOKEN=secret refused org/tiny
MDF_HUB=http://127.0.0.1:9 MDF_TOKEN=wrong HF_TOKEN=secret "$mdf" pull "$hub/org/tiny" --out there
kill $server
ls
