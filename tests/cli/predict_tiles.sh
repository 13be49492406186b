# The crop in one tile is what is usual; --view and --tiles change what the vision tower sees, and nothing else.
"$mdf" data synth --quiet --patients 2 --size 300 a >/dev/null
n=0
for how in "" "--tiles 1" "--view crop --tiles 1" "--tiles auto" "--tiles 4" "--view whole" "--view whole --tiles auto"; do
    n=$((n + 1))
    # shellcheck disable=SC2086 # several words
    "$mdf" predict --quiet --model "$project/tests/golden/model" $how a/images/P0001_left.png >"$n"
done
cmp 1 2 && cmp 1 3 && cmp 4 5 && echo same
for other in 4 6 7; do cmp -s 1 "$other" || echo "$other differs"; done
wc -l <4
"$mdf" predict --quiet --model "$project/tests/golden/model" --tiles 9 a/images/P0001_left.png
echo "exit code $?"
