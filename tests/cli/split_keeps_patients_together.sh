# Every patient lands on one side only, and every class on all sides.
"$mdf" data synth -q --patients 70 --size 32 a >/dev/null
"$mdf" data split -q --replace --seed 7 a >/dev/null
tail -n +2 a/metadata.csv | cut -d , -f 3,4 | sort -u | cut -d , -f 1 | uniq -d | wc -l
tail -n +2 a/metadata.csv | cut -d , -f 2,4 | sort -u | wc -l
