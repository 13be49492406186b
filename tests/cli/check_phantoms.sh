# Phantoms have nothing wrong, in words and in JSON.
"$mdf" data synth -q --patients 21 --size 64 a >/dev/null
"$mdf" data check --quiet a | grep -E '^(42 cases|unreadable|patients on)'
"$mdf" data check -qj a | grep -E '"(n|faults|patients)"'
