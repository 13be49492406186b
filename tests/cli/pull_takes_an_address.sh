# The address of a repository's page says hub and revision; hf:// leaves the hub to HF_ENDPOINT.
export no_proxy='*'
"$hub_server" url 0 secret &
server=$!
until [ -s url ]; do sleep 0.05; done
hub=$(cat url)
HF_TOKEN=secret "$mdf" pull "$hub/org/tiny/tree/main" --include '*.json' --out page
HF_TOKEN=secret HF_ENDPOINT="$hub/" "$mdf" pull hf://org/tiny@main --include '*.json' --out short
HF_TOKEN=secret "$mdf" pull "$hub/org/tiny" --hub "$hub" --revision main --include '*.json' --out same
kill $server
find . -type f | sort
