# exit: 2
"$mdf" data split
