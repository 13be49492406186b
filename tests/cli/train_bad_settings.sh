# Settings that are unknown, absurd or contradictory: exit code 1 and a sentence, and no run is begun.
"$mdf" data synth --quiet --patients 8 --size 32 --label dr --label normal data >/dev/null
mkdir tiny # a folder of a preset's name does not hide the preset
try() {
    "$mdf" train --quiet --data data --out run "$@"
    echo "exit code $?"
    [ ! -e run ] || ls -d run
}
try --config tiny --set lr=1e30
try --config tiny --set bogus=1
try --config tiny --set epochs
try --config tiny --set unet_config.base=100000
try --config tiny --set 'answer_config.labels=["a","a"]'
try --config tiny --set 'answer_config.labels=["a","b"]'
try --config none
echo '{"train_config": {"epochs": 1, "epochs": 2}}' >twice.json && try --config twice.json
echo '{"train_config": {"epochs": "many"}}' >type.json && try --config type.json
echo '{"train_config": {"epcohs": 1}}' >slip.json && try --config slip.json
printf '{"model_type": "caf\xe9"}' >latin.json && try --config latin.json
: >empty.json && try --config empty.json
try --config tiny --train-split nowhere
try --config tiny --seed 5000000000
try --config tiny --set mask_crops=true --set masks=
try --config tiny --set mask_crops=true --set task=segment
try --config tiny --set crop.focus=vessel,cup
try --config tiny --set picture_side=32
try --config tiny --set crop.focus=vessel,fovea
