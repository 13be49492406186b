# A word for a missing value is no text: the same answer as without --text, and a line that says so.
"$mdf" data synth --quiet --patients 1 --size 64 a >/dev/null
"$mdf" predict --quiet a/images/P0001_left.png >without
"$mdf" predict --text NaN a/images/P0001_left.png >nan 2>talk.txt
grep -- --text talk.txt
cmp without nan && echo same
"$mdf" predict --quiet --text "NaN is no word here" a/images/P0001_left.png | cmp -s without - || echo another
