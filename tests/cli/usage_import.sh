# exit: 2
"$mdf" import --out here
