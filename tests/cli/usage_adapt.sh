# exit: 2
"$mdf" adapt --model m
