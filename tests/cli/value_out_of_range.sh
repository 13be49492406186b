# exit: 2
"$mdf" data synth --size 2049 d
