# exit: 2
"$mdf" data snth
