# exit: 2
"$mdf" data synth --label dry a
