# exit: 2
"$mdf" info
