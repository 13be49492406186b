# exit: 1
# Masks are opened: a damaged one is a fault, an empty one is counted.
"$mdf" data synth -q --patients 7 --size 64 a >/dev/null
"$mdf" data check --quiet a | grep -E '^(masks|unusable)'
echo garbage >a/vessel_masks/P0002_left.png
"$mdf" data check --quiet a >report
code=$?
grep -A 1 '^unusable' report

# The centre of a disc that is not on its picture.
"$mdf" data synth -q --patients 1 --size 64 b >/dev/null
printf 'file_name,optic_disc_x,optic_disc_y\nimages/P0001_left.png,64,3\nimages/P0001_right.png,63.5,3\n' >b/metadata.csv
"$mdf" data check --quiet b | grep -A 1 '^unusable'
exit $code
