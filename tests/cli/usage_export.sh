# exit: 2
"$mdf" export --model nowhere --out here --dtype f8
