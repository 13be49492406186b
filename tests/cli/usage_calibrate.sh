# exit: 2
"$mdf" calibrate --model m
