# exit: 2
"$mdf" trian
