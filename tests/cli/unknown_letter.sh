# exit: 2
"$mdf" train -Z
