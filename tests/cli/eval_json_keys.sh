# The keys that others rely on, and that --labels restricts cases and answers.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
tiny_train data run --set epochs=1 >/dev/null
"$mdf" eval --quiet --model run --data data --split train --json result.json >table.txt
sed -n 's/^  \("[a-z0-9_]*"\):.*/\1/p' result.json | tr '\n' ' '
echo
"$mdf" eval --quiet --model run --data data --split train --labels dr --json - |
    sed -n '/"confusion"/,/^  \]/p' | tr -d ' \n' | sed 's/[0-9][0-9]*/N/g'
echo
"$mdf" eval --quiet --model run --data data --data data --split train --json - | grep '^  "n"'
grep '^  "n"' result.json
"$mdf" eval --quiet --model run --data data --labels dr,glaucoma --json -
"$mdf" eval --quiet --model run --data data --split nowhere
"$mdf" eval --quiet --model run --data data --threads 1 --json one.json >/dev/null
"$mdf" eval --quiet --model run --data data --threads 2 --json two.json >/dev/null
sed -i -E 's/([0-9]\.[0-9]{4})[0-9]*/\1/g' one.json two.json # within rounding
cmp one.json two.json
