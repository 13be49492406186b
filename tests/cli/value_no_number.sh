# exit: 2
"$mdf" data synth --size big d
