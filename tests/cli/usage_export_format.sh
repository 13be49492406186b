# exit: 2
"$mdf" export --model nowhere --out here --format onnx
