# exit: 1
"$mdf" data check nowhere
