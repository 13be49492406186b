# Masks of the photographs' size and a table; what could not be read is in it, too. The same again, without --force.
# A small model of random weights: what it draws is nothing, but it draws quickly (unit/engine/session_segment looks at
# the masks of the one that comes along).
"$mdf" init --quiet --config tiny --seed 1 --set answer_config.labels=normal,dr \
    --set unet_config.mask_side=256 --out drawer >/dev/null
"$mdf" data synth --quiet --patients 2 --size 256 --seed 5 --label dr eyes >/dev/null
mkdir -p in/a in/b
cp eyes/images/P0001_left.png in/a/eye.png
cp eyes/images/P0001_right.png in/b/eye.png
cp eyes/images/P0002_left.png in/b/eye-2.png
echo "no picture" >in/b/broken.jpg
for _ in 1 2; do
    "$mdf" segment --model drawer --out masks in 2>talk.txt >table.txt
    echo "exit code $?"
done
grep -v 'warning: ' talk.txt
sed -E 's/[0-9]+\.[0-9]+/N/g; s/ [0-9]+ / N /g; s/ +/ /g' table.txt
ls masks
for file in masks/*.png; do
    "$mdf" info --json "$file" | grep -E '"(width|height)"'
done | sort -u
sed -E 's/[0-9]+\.[0-9]+/N/g; s/,[0-9]+(,N,more)/,N\1/; s/,[0-9]{5},/,N,/' masks/segmentation.csv

# Standard input, an outline over the photograph, JSON.
"$mdf" segment --model drawer --quiet --json --overlay --out one - <in/a/eye.png >one.json
grep -E '"(image|name|gradable|vessel|lesion|overlay|width_px)"' one.json
grep -cE '"(vessel_area_percent|vessel_dimension|lesion_count|lesion_area_percent|field_diameter_px)": [0-9]' one.json
cmp one/stdin_vessel.png masks/eye_vessel.png
ls one
"$mdf" segment --model drawer --quiet --json --out masks2 in 2>/dev/null | grep -E '"(image|name|error)"'
