# The crop in one tile is what is usual; --view and --tiles change what the vision tower sees, and nothing else.
"$mdf" data synth --quiet --patients 2 --size 300 a >/dev/null
n=0
for how in "" "--tiles 1" "--view crop --tiles 1" "--tiles auto" "--tiles 4" "--view whole" "--view whole --tiles auto"; do
    n=$((n + 1))
    # shellcheck disable=SC2086 # several words
    "$mdf" predict --quiet --model "$project/tests/golden/model" $how a/images/P0001_left.png >"r$n"
done
cmp r1 r2 && cmp r1 r3 && cmp r4 r5 && echo same
for other in r4 r6 r7; do cmp -s r1 "$other" || echo "$other differs"; done
wc -l <r4
"$mdf" predict --quiet --model "$project/tests/golden/model" --tiles 9 a/images/P0001_left.png
echo "exit code $?"
