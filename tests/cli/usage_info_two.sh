# exit: 2
"$mdf" info a b
