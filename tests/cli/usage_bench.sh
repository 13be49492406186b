# exit: 2
"$mdf" bench --repeat 0
