# exit: 2
"$mdf" segment eye.jpg
"$mdf" segment --out masks
"$mdf" segment --out masks --threshold 1 eye.jpg
