# exit: 2
"$mdf" info "--$(printf "a%.0s" {1..5000})"
