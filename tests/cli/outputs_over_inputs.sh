# No output replaces what the same run reads, by whatever name; another file only when mdf wrote it, or with --force.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
tiny_train data run --set epochs=1 >/dev/null
find data run -type f -exec sha256sum {} + | sort >before.txt
eye=data/images/P0001_left.png
ln -s "$eye" link.png
ln "$eye" hard.png
mdf_predict() {
    "$mdf" predict --quiet --model run "$@" >/dev/null
    echo "exit code $?"
}
mdf_eval() {
    "$mdf" eval --quiet --model run --data data --bootstrap 10 "$@" >/dev/null
    echo "exit code $?"
}
mdf_predict --heatmap where.jpg "$eye" # a shell's *.jpg
mdf_predict --force --heatmap "$eye" "$eye"
mdf_predict --force --heatmap link.png "$eye"
mdf_predict --force --heatmap "$eye" ./hard.png
mdf_predict --heatmap data/images/P0002_left.png "$eye" # a picture that is not read
mdf_predict --heatmap data "$eye"
mkdir folder.png
mdf_predict --force --heatmap folder.png "$eye"
mdf_eval --force --json data/metadata.csv
mdf_eval --force --report data/lesion_masks/P0001_left.png
mdf_eval --force --json run/config.json
mdf_eval --force --json run/metrics.jsonl
mdf_eval --json /dev/null
mdf_eval --json same --report same
echo mine >mine.html
mdf_eval --report mine.html
"$mdf" bench --model run --logits run/model.safetensors --force
"$mdf" bench --model run --logits mine.html
find data run -type f -exec sha256sum {} + | sort | cmp before.txt - && echo "nothing changed"

# What mdf wrote may be written again, and so may anything that is asked for.
: >empty.json
for time in 1 2; do
    echo "time $time"
    mdf_predict --heatmap where.png "$eye"
    mdf_eval --json empty.json --report report.html
    mdf_eval --json run/result.json
done
mdf_eval --report mine.html --force
head -c 15 mine.html
echo

# A folder that holds a model is nobody's --out.
for command in "train --config tiny --data data" "train --init run --data data" "export --model run" \
    "quantize --model run" "import run" "init --config tiny" "graft --model run --config small"; do
    rm -f run/checkpoint.safetensors
    # shellcheck disable=SC2086 # words
    "$mdf" $command --out run
    echo "exit code $?"
done
