# exit: 2
"$mdf" help evel
