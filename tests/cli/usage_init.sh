# exit: 2
"$mdf" init --config tiny --out here --quantize keep
