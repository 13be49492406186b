# exit: 2
"$mdf" bench --model "$project/models/small" --kv-type f64
"$mdf" bench --model "$project/models/small" --only gemm
