# exit: 2
"$mdf" data split --val nan d
