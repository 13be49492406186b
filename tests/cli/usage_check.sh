# exit: 2
"$mdf" data check
