# exit: 2
unset MDF_HUB
"$mdf" pull org/tiny --out here
