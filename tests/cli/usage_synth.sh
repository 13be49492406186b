# exit: 2
"$mdf" data synth
