"$mdf" data synth --json -qn1 --size 32 --label dr a
cut -d , -f 2 a/metadata.csv
