# Heat-maps compared: which numbers there are, that a seed gives the same ones, that cases are
# counted, and that a model is not explained by what it does not have.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
tiny_train data run --set epochs=1 >/dev/null
"$mdf" eval --quiet --model run --data data --split train --bootstrap 50 --explain all \
    --explain-cases 3 --json one.json >one.txt
"$mdf" eval --quiet --model run --data data --split train --bootstrap 50 --explain all \
    --explain-cases 3 --json two.json --report report.html >/dev/null
grep -v '"ms"' one.json >one
grep -v '"ms"' two.json >two
cmp one two
sed -n 's/^heat-maps: \([0-9]* of\) [0-9]*.*\(at most .*\)/\1 ... \2/p' one.txt
sed -n 's/^\(\(gradient\|layercam\|attention\|occlusion\)[a-z0-9, ]*[a-z0-9]\)  *.*/\1/p; s/^\(random\|gaussian\|brightness\) .*/\1/p' one.txt |
    sed 's/  .*//' | sort | uniq -c | sed 's/^ *//'
sed -n '/"explain"/,/"per_class"/s/^ *"\([a-z_]*\)".*/\1/p' one.json | tr '\n' ' '
echo
grep -c '<h2>Heat-maps</h2>' report.html
"$mdf" train --quiet --config tiny --data data --out picture --set unet_config.image_size=32 \
    --set vision_config.image_size=28 --set batch_size=4 --set epochs=1 --set fusion_config.grid=4 \
    --set train_config.task=picture --set answer_config.image_head=true >/dev/null
"$mdf" eval --model picture --data data --split train --explain attention 2>&1 >/dev/null | tail -1
"$mdf" eval --model picture --data data --split train --bootstrap 50 --labels dr --explain all \
    --explain-cases 1 2>&1 >table.txt | grep explain
grep -o '^layercam, depth 5' table.txt
for method in gradient layercam occlusion; do
    "$mdf" predict --quiet --model picture --heatmap "$method.png" --explain "$method" \
        data/images/P0001_left.png >/dev/null && echo "$method"
done
"$mdf" predict --quiet --model picture --heatmap where.png --explain attention \
    data/images/P0001_left.png 2>&1
ls ./*.png
