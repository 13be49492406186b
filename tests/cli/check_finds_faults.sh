# exit: 1
# A cut picture, and a patient on two sides.
"$mdf" data synth -q --patients 7 --size 64 a >/dev/null
head -c 100 a/images/P0002_left.png >cut.png && mv cut.png a/images/P0002_left.png
sed -i '/P0003_left/s/,train,/,test,/' a/metadata.csv
"$mdf" data check --quiet a >report
code=$?
grep -E '^(unreadable|patients on)' report
exit $code
