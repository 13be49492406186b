# A case without a patient is called by its name in the table, not by where the data lie; with its folder where there
# are several, since names may be the same there.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
tiny_train data run --set epochs=1 >/dev/null
sed -i 's/,P0001,/,,/' data/metadata.csv
cp -r data more
"$mdf" eval --quiet --model run --data "$PWD/data" --bootstrap 10 --json result.json --report report.html >/dev/null
grep -E '"(file_name|patient_id)"' result.json
grep -c "$PWD" result.json
"$mdf" eval --quiet --model run --data data --data more --bootstrap 10 --json - | grep '"patient_id"'
