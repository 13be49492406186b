# exit: 1
# Masks are opened: a damaged one is a fault, an empty one is counted.
"$mdf" data synth -q --patients 7 --size 64 a >/dev/null
"$mdf" data check --quiet a | grep -E '^(masks|unusable)'
echo garbage >a/vessel_masks/P0002_left.png
"$mdf" data check --quiet a >report
code=$?
grep -A 1 '^unusable' report
exit $code
