# --labels once is cut at commas; given several times, every value is one label.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
sed -i 's/,dr,/,"dr, mild",/' data/metadata.csv
tiny_train data run --set epochs=1 >/dev/null
"$mdf" data synth --quiet --patients 7 --size 64 large >/dev/null # that is a fundus
predict() {
    "$mdf" predict --quiet --model run "$@" large/images/P0001_left.png >out.txt && tr '\t' '\n' <out.txt | sed 1d | sed 's/ [0-9.]*$//' | sort
}
evaluate() {
    "$mdf" eval --quiet --model run --data data --bootstrap 10 --json - "$@" >out.txt && sed -n '/^  "labels"/,/\]/p' out.txt | tr -d '\n' && echo
}
for command in predict evaluate; do
    $command
    $command --labels "dr, mild"
    $command --labels "dr, mild" --labels normal
    $command --labels "dr, mild" --labels "dr, mild"
    $command --labels normal --labels "dr,mild"
    echo "exit code $?"
done
