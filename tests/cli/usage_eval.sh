# exit: 2
"$mdf" eval --data d
