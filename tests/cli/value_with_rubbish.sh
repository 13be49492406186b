# exit: 2
"$mdf" data split --val 0.1x d
