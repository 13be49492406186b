# exit: 1
# A limit of file size stands for a full disk: the file is named, what came stays.
export no_proxy='*'
"$hub_server" url &
server=$!
until [ -s url ]; do sleep 0.05; done
(
    ulimit -f 1000 # KiB
    "$mdf" pull org/tiny --hub "$(cat url)" --out out
)
code=$?
kill $server
find out -type f -size +2k -printf '%s\n'
exit $code
