# Cases whose label the model does not know, or that have none, are counted and named: in the table, the JSON, the
# report, on stderr, and by train for both splits. --strict makes them an error before the work.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
tiny_train data run --set epochs=1 >/dev/null
cp data/metadata.csv whole.csv
sed -i -E '/P0001_right/s/,normal,/,amd,/
/P0002_right/s/,dr,/,cataract,/
/P0001_left/{s/,normal,/,,/; s/,vessel_masks.*/,,,,/}' data/metadata.csv # one of the four test cases is left
"$mdf" eval --model run --data data --bootstrap 10 --json result.json --report report.html 2>talk.txt | sed -n 1,2p
grep 'left out' talk.txt
sed -n '/"left_out"/,/^  }/p' result.json
grep -o '<strong>Left out of the numbers.*</p>' report.html
"$mdf" eval --quiet --model run --data data --bootstrap 10 --labels normal --split train --json - | grep not_asked
"$mdf" eval --model run --data data --strict --json strict.json
echo "exit code $?"
ls strict.json 2>/dev/null
cp whole.csv data/metadata.csv
"$mdf" eval --quiet --model run --data data --bootstrap 10 --strict --json - | grep '^  "n"'

# A training whose settings name the labels, one of which has no case.
sed -i -E '/P0003_right/s/,(normal|dr),/,amd,/' data/metadata.csv # train
sed -i -E '/P0004_right/s/,(normal|dr),/,cataract,/' data/metadata.csv # val
labels='answer_config.labels=["normal","dr","glaucoma"]'
"$mdf" train --config tiny --data data --out strict --set "$labels" --set epochs=1 --strict
echo "exit code $?"
ls strict 2>/dev/null
"$mdf" train --config tiny --data data --out named --set "$labels" --set epochs=1 --json 2>talk.txt | grep left_out
grep '^split' talk.txt
