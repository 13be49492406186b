# exit: 2
"$mdf" bench --only gemms
