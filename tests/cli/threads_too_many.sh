# exit: 2
"$mdf" info --threads 2000 x
