# A preset with all its settings; the JSON is read back to the same.
"$mdf" info "$project/presets/tiny.json" | grep -E '^(model_type|text_config.hidden_size|unet_config.base):'
"$mdf" info --json "$project/presets/tiny.json" >all.json
"$mdf" info --json all.json | cmp - all.json && echo same
# A long list is cut in the text, not in the JSON.
"$mdf" init --quiet --config tiny --set "labels=[$(printf '"l%02d", ' {1..32})\"l33\"]" --out long >/dev/null
"$mdf" info long | grep labels
"$mdf" info --json long | grep -c '"l[0-9]*"'
