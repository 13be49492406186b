# Data that can't be trained on: a sentence that names the table, the line or the file.
try() {
    "$mdf" train --quiet --config tiny --data data --out run
    echo "exit code $?"
    [ ! -e run/model.safetensors ] || echo "weights were written"
}
fresh() {
    rm -rf data run
    cp -r good data
}
"$mdf" data synth --quiet --patients 8 --size 32 --label dr --label normal good >/dev/null
fresh && rm data/images/P0001_left.png && try
fresh && : >data/images/P0001_left.png && try
fresh && head -c 300 good/images/P0001_left.png >data/images/P0001_left.png && try
fresh && sed -i '1s/file_name/file/' data/metadata.csv && try
fresh && sed -i '3s/,/,"/' data/metadata.csv && try
fresh && sed -i '4s/$/,more/' data/metadata.csv && try
fresh && sed -i 's/,train,/,,/; s/,val,/,,/; s/,test,/,,/' data/metadata.csv && try
fresh && sed -i 's/,dr,/,normal,/' data/metadata.csv && try
fresh && sed -i '1s/,label,/,class,/' data/metadata.csv && try
fresh && for mask in data/vessel_masks/*; do cp "$project/tests/golden/image/mask.png" "$mask"; done && try
fresh && sed -i 's/$/\r/; 1s/^/\xef\xbb\xbf/' data/metadata.csv && "$mdf" data check --quiet data | sed -n 1p
