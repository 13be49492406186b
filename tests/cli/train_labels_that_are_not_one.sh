# Several labels in a cell, two spellings of a label, a misspelt patient_id: nothing is trained on them.
try() {
    "$mdf" train --quiet --config tiny --data data --out run
    echo "exit code $?"
    [ ! -e run ] || echo "a run was begun"
}
fresh() {
    rm -rf data run
    cp -r good data
}
"$mdf" data synth --quiet --patients 8 --size 32 --label dr --label normal good >/dev/null
fresh && sed -i '2s/,dr,/,dr|normal,/; 3s/,dr,/,"normal, dr",/' data/metadata.csv && try
# Unless that is meant: then there are two cases of one photograph. A validation can't use it.
. "$project/tests/cli/tiny_run.bash"
fresh && sed -i -E '/,train,/s/,dr,/,dr|normal,/; 2s/,dr,/,"normal; dr",/' data/metadata.csv
tiny_train data several --set several_labels=true --set epochs=1 --json | grep -E '"(epochs|left_out|val_left_out)"'
fresh && sed -i '3s/,dr,/,DR,/' data/metadata.csv && try
fresh && sed -i '1s/,patient_id,/,patient,/' data/metadata.csv && try
# Columns that are not read are talk.
fresh && sed -i '1s/,label,/,diagnosis,/' data/metadata.csv
"$mdf" train --config tiny --data data --out run
echo "exit code $?"
