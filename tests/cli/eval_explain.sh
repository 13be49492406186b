# Heat-maps compared: which numbers there are, that a seed gives the same ones, and that cases are counted.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
tiny_train data run --set epochs=1 >/dev/null
"$mdf" eval --quiet --model run --data data --split train --bootstrap 50 --explain all \
    --explain-cases 2 --json one.json >one.txt
"$mdf" eval --quiet --model run --data data --split train --bootstrap 50 --explain all \
    --explain-cases 2 --json two.json --report report.html >/dev/null
grep -v '"ms"' one.json >one
grep -v '"ms"' two.json >two
cmp one two
sed -n 's/^heat-maps: \([0-9]* of\) [0-9]*.*\(at most .*\)/\1 ... \2/p' one.txt
sed -n 's/^\(\(gradient\|layercam\|attention\|occlusion\)[a-z0-9, ]*[a-z0-9]\)  *.*/\1/p; s/^\(random\|gaussian\|brightness\) .*/\1/p' one.txt |
    sed 's/  .*//' | sort | uniq -c | sed 's/^ *//'
sed -n '/"explain"/,/"per_class"/s/^ *"\([a-z_]*\)".*/\1/p' one.json | tr '\n' ' '
echo
grep -c '<h2>Heat-maps</h2>' report.html
