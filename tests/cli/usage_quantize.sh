# exit: 2
"$mdf" quantize --model nowhere --out here --vision q3
