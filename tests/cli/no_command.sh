# exit: 2
"$mdf"
