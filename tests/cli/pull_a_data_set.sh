# A data set in the imagefolder layout is fetched whole and can be worked with; what mdf does not read
# is named.
export no_proxy='*'
"$mdf" data synth --patients 7 --size 64 --quiet served >synth.txt
echo '# Phantoms' >served/README.md
echo PAR1 >served/extra.parquet
"$hub_server" url 0 '' served &
server=$!
until [ -s url ]; do sleep 0.05; done
hub=$(cat url)
"$mdf" pull "$hub/datasets/org/tiny" --out got | sed 's/[0-9.]* [kM]*B/SIZE/g'
HF_ENDPOINT=$hub "$mdf" pull datasets/org/tiny --include README.md --out readme --json |
    grep -E '"(kind|repository)"'
HF_ENDPOINT=$hub "$mdf" pull org/tiny --out model
echo "exit code $?"
kill $server
diff -r served got
"$mdf" data check got >check.txt
echo "exit code $?"
head -n 1 check.txt
