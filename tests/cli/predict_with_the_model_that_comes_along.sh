# The model in models/small works after a clone: a label with a probability, and a heat-map.
"$mdf" data synth --quiet --patients 7 --size 256 phantoms >/dev/null
"$mdf" predict --quiet --json --text "63-year-old female. Left eye." --heatmap where.png \
    phantoms/images/P0001_left.png | grep -c '"probabilities"'
head -c 4 where.png | tail -c 3
