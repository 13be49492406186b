# exit: 2
"$mdf" data split --val 0.5 --test 0.5 d
