# exit: 1
mkdir a && echo 'file_name,label' >a/metadata.csv
"$mdf" data synth -q --patients 1 --size 32 a
code=$?
cat a/metadata.csv
exit $code
