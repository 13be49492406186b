# --mask-data: masks are learned from crops of it, its labels are not.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
"$mdf" data synth --quiet --patients 4 --size 32 --seed 6 --label amd other >/dev/null
both=(--mask-data other --set image_head=true --set task=picture --set crop.side=48 --set crop.per_epoch=8 --set epochs=1
    --threads 1)
tiny_train data run "${both[@]}" --set mask_crops=true --set healthy_labels=normal --json | grep -E '"(epochs|left_out)"'
grep -E '"(amd|dr|normal)"|mask_side' run/config.json
"$mdf" eval -q --model run --data other --split train --json - | grep -cE '"(vessel|lesion|lesions)"'

# As whole pictures; nowhere are there any.
tiny_train data whole "${both[@]}" --json | grep -E '"(epochs|left_out)"'
tiny_train data none "${both[@]}" --set masks=haemorrhage --set mask_crops=true
echo "exit code $?"
tiny_train data none --mask-data nowhere
echo "exit code $?"
