# exit: 2
"$mdf" bench --model "$project/models/small" --only gemm
