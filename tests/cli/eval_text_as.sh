# --text-as: what the model reads, what the JSON says of it, and what is refused.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
tiny_train data run --set epochs=1 >/dev/null
for as in given none shuffled 'drop:LEFT|right'; do
    "$mdf" eval --quiet --model run --data data --split train --text-as "$as" --json "$as.json" >table.txt
    grep '^texts' table.txt
    sed -n '/"text_as"/,/}/p' "$as.json" | tr -d ' \n'
    echo
done
grep -c '"prob"' given.json
for as in none shuffled 'drop:LEFT|right'; do
    cmp --silent given.json "$as.json" && echo "$as changes nothing"
done
"$mdf" eval --quiet --model run --data data --split train --text-as shuffled --seed 1 --json again.json >/dev/null
cmp shuffled.json again.json && echo "the seed decides"
"$mdf" eval --quiet --model run --data data --split train --text-as none --report r.html >/dev/null
grep -c '&ldquo;' r.html # texts in the gallery

for as in drop: 'drop:(' drop:xylophone 'drop:\C' bogus; do
    "$mdf" eval --quiet --model run --data data --text-as "$as"
    echo "exit code $?"
done
grep -m 1 P0001 data/metadata.csv >row.txt
{ head -1 data/metadata.csv && cat row.txt && sed s/_left/_right/ row.txt; } >data/one.csv
mv data/one.csv data/metadata.csv
"$mdf" eval --quiet --model run --data data --split "$(cut -d, -f 4 row.txt)" --text-as shuffled
echo "exit code $?"
