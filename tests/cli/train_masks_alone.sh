# task=segment: crops, Dice of every mask; the model draws and does not answer; a run trains on from it.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
drawn=(--set "masks=vessel,disc,cup,lesion" --threads 1)
tiny_train data draws "${drawn[@]}" --set task=segment --set crop.side=48 --set crop.per_epoch=16 --set epochs=2 --json |
    grep -E '"(epochs|monitor)"'
grep -c '"val_dice":0\.' draws/metrics.jsonl
"$mdf" eval -q --model draws --data data | sed -E 's/[0-9]\.[0-9]{2,3}/X/g'
"$mdf" eval -q --model draws --data data --json - | grep -E '"(n|vessel|disc|cup|lesion|from_boxes)"'
"$mdf" predict -q --model draws data/images/P0001_left.png
echo "exit code $?"
"$mdf" eval -q --model draws --data data --report r.html
echo "exit code $?"
"$mdf" eval -q --model draws --data data --explain occlusion
echo "exit code $?"
"$mdf" eval -q --model draws --data data --no-masks
echo "exit code $?"
tiny_train data answers "${drawn[@]}" --init draws --set epochs=1 --json | grep '"epochs"'
tiny_train data none --set task=segment --set masks=haemorrhage
echo "exit code $?"
tiny_train data none --set task=segment --set masks=
echo "exit code $?"

"$mdf" eval -q --model answers --data data --no-masks | grep -cE '^accuracy  |Dice'

# A model that answers draws, too: of cases without a label that is all there is to say.
sed -i -E 's/,(normal|dr),/,,/' data/metadata.csv
"$mdf" eval -q --model answers --data data 2>/dev/null | sed -E 's/[0-9]\.[0-9]{2,3}/X/g'
"$mdf" eval -q --model answers --data data --report r.html 2>&1 | tail -1
"$mdf" eval -q --model answers --data data --explain all 2>&1 | tail -1

# Boxes are masks; a broken table of them stops everything that reads the data.
cp -r data boxed
printf 'file_name,class,x0,y0,x1,y1\nimages/P0001_left.png,haemorrhage,3,4,9,9\nimages/P0001_left.png,drusen,3,4,9,9\n' >boxed/boxes.csv
"$mdf" data check -q boxed | grep -E '^masks|boxes'
printf 'file_name,class,x0,y0,x1,y1\nimages/P0001_left.png,disc,33,4,99,9\n' >boxed/boxes.csv
"$mdf" data check -q boxed | grep outside
printf 'file_name,class,x0,y0,x1,y1\nimages/P0001_left.png,disc,9,4,3,9\n' >boxed/boxes.csv
"$mdf" data check -q boxed
echo "exit code $?"
