# The stages of a classification by a model folder: the times are this machine's, the stages are not.
"$mdf" bench --quiet --json --threads 1 --model "$project/models/small" >out.json
grep -o '"what": "[a-z ]*"' out.json
