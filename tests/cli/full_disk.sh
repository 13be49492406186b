# exit: 1
"$mdf" help >/dev/full
