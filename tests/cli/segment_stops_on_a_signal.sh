# A signal ends the run between pictures; masks and table of those that are done are there.
"$mdf" data synth --quiet --patients 200 --size 64 --seed 5 --label normal eyes >/dev/null
"$mdf" init --quiet --config tiny --set answer_config.labels=normal,dr --out drawer >/dev/null
"$mdf" segment --quiet --model drawer --out masks eyes/images >table.txt &
while [ ! -s table.txt ] || [ "$(wc -l <table.txt)" -lt 3 ]; do
    sleep 0.02
done
kill -INT $!
wait $!
echo "exit code $?"
rows=$(($(wc -l <table.txt) - 1))
[ "$(wc -l <masks/segmentation.csv)" = $((rows + 1)) ] || echo "another number of rows"
masks=(masks/*_vessel.png)
[ "${#masks[@]}" -ge "$rows" ] || echo "masks are missing"
[ "$rows" -lt 400 ] || echo "too late"
