# exit: 2
"$mdf" bench x
