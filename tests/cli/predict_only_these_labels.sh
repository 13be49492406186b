# --labels leaves the other answers out.
"$mdf" data synth --quiet --patients 7 --size 64 a >/dev/null
"$mdf" predict --quiet --labels dr,normal a/images/P0001_left.png | tr '\t' '\n' | cut -d' ' -f1 | sort
"$mdf" predict --quiet --json --labels amd a/images/P0001_left.png | grep -cE '"(amd|cataract|dr|glaucoma|myopia|normal)":'
"$mdf" predict --quiet --labels dr,bogus a/images/P0001_left.png
echo "exit code $?"
