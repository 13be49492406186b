# A validation split of one label has no AUC: the loss chooses, which stderr, the metrics and the summary say. One
# picture is enough to validate on.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
grep -v ',val,' data/metadata.csv >one.csv
grep -m 1 ',normal,.*,val,' data/metadata.csv >>one.csv
mv one.csv data/metadata.csv
"$mdf" train --config tiny --data data --out run --set epochs=2 --threads 1 --json 2>talk.txt >summary.json
grep -E '^split|^epoch' talk.txt | sed 's/[0-9]*\.[0-9]*/N/g; s/ (best so far)//'
grep -o '"monitor":"[a-z_]*"' run/metrics.jsonl
grep -E '"(monitor|temperature)"' summary.json
