# exit: 2
"$mdf" predict --text "left eye"
