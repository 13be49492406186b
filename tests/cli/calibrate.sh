# A training and mdf calibrate leave the same in config.json; --coverage gives sets, or one sentence why not.
. "$project/tests/cli/tiny_run.bash"
"$mdf" data synth --quiet --patients 24 --size 64 --seed 5 --label normal --label dr data >/dev/null
tiny_train data run --set epochs=1 >/dev/null
eye=data/images/P0001_left.png
doubt() { sed -n '/"doubt_config"/,/^  }/p; /"temperature"/p' "$1/config.json"; }

# The weights are those of the epoch that was calibrated, so measuring again gives the same numbers.
cp -r run again
"$mdf" calibrate --quiet --model again --data data
cmp run/config.json again/config.json && echo "untouched without --force"
"$mdf" calibrate --quiet --model again --data data --force | sed 's/[0-9]\.[0-9]*/N/g'
doubt run >one.txt
doubt again >two.txt
cmp one.txt two.txt && echo "the same"
find again -name '*lock*' | grep -c .
"$mdf" calibrate --quiet --json --model again --data data --force --within 0.9 | grep -E '"(normal|dr|pictures|distance_share)"'

# Sets.
"$mdf" predict --quiet --model run --coverage 0.8 "$eye" | tr '\t' '\n' | grep -c '^set: '
"$mdf" predict --quiet --json --model run --coverage 0.8 "$eye" | grep -E '"(coverage|distance_limit|distance)"' | sed 's/[0-9]\.[0-9]*/N/g'
"$mdf" predict --quiet --json --model run "$eye" | grep -c '"set"'
"$mdf" eval --quiet --model run --data data --coverage 0.8 --json - | sed -n '/"sets"/,$p' | grep -oE '"[a-z_]*":' | tr '\n' ' '
echo
"$mdf" eval --quiet --model run --data data --split val --coverage 0.8 | grep -cE '^(sets of labels|all  |data: )'

# What can't be had.
"$mdf" predict --model run --coverage 0.99 "$eye"
echo "exit code $?"
"$mdf" eval --quiet --model run --data data --coverage 0.99
echo "exit code $?"
"$mdf" predict --quiet --coverage 0.9 --labels dr,normal "$eye"
echo "exit code $?"
"$mdf" predict --quiet --coverage 0.9 --ask "What?" "$eye"
echo "exit code $?"
"$mdf" eval --quiet --model run --data data --coverage 0.9 --labels dr,normal
echo "exit code $?"
"$mdf" calibrate --quiet --model again --data data --force --within 0.99
echo "exit code $?"
"$mdf" calibrate --quiet --model again --data data --force --split nowhere
echo "exit code $?"
cmp again/config.json run/config.json >/dev/null || sed -n '/"distance_share"/p' again/config.json # of 0.9 above

# A model that was never calibrated.
"$mdf" init --quiet --config tiny --set 'labels=["normal", "dr"]' --out fresh >/dev/null
"$mdf" predict --quiet --model fresh --coverage 0.9 "$eye"
echo "exit code $?"
grep -c doubt_config fresh/config.json || true # of which it says nothing
