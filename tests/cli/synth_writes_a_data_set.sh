# Two eyes of each patient, three pictures each, one table; the same seed gives the same bytes.
"$mdf" data synth --patients 7 --size 32 --quiet a
"$mdf" data synth -n 7 --size=32 -q --seed 1 b
"$mdf" data synth -n 7 --size=32 -q --seed 2 c
find a -name '*.png' | wc -l
wc -l <a/metadata.csv
diff -r a b && echo same
cmp -s a/metadata.csv c/metadata.csv || echo another
