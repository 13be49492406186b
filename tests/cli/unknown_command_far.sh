# exit: 2
"$mdf" xylophone
