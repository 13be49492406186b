"$mdf" data synth -q --patients 1 --size 96 --label normal a >/dev/null
"$mdf" info a/images/P0001_left.png | sed -n 1,4p
