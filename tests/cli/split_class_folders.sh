# A folder of class folders gets a table; the same seed gives the same table; it is not replaced
# without being asked to.
"$mdf" data synth -q --patients 14 --size 32 a >/dev/null
mkdir -p b/one b/two
mv a/images/P000* b/one && mv a/images/P001* b/two
"$mdf" data split --val 0.25 --test 0.25 b
head -n 1 b/metadata.csv
cp b/metadata.csv first
"$mdf" data split --val 0.25 --test 0.25 b || echo refused
cmp first b/metadata.csv
"$mdf" data split --val 0.25 --test 0.25 --replace --json b
cmp first b/metadata.csv && echo same
