# Heat-map, report and numbers that do not fit: one sentence each, and no half of a file.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
tiny_train data run --set epochs=1 >/dev/null
echo old >where.png
echo old >report.html
(ulimit -f 4 && "$mdf" predict --quiet --model run --force --heatmap where.png data/images/P0001_left.png >/dev/null)
echo "exit code $?"
(ulimit -f 4 && "$mdf" eval --quiet --model run --data data --force --report report.html >/dev/null)
echo "exit code $?"
(ulimit -f 1 && "$mdf" eval --quiet --model run --data data --split train --json result.json >/dev/null)
echo "exit code $?"
(ulimit -f 8 && "$mdf" export --quiet --model run --out model)
echo "exit code $?"
cat where.png report.html
ls -A
ls -A model
"$mdf" predict --quiet --model run data/images/P0001_left.png >/dev/full
echo "exit code $?"
"$mdf" eval --quiet --model run --data data --json - >/dev/full
echo "exit code $?"
