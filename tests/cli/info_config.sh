# A preset with all its settings; the JSON is read back to the same.
"$mdf" info "$project/presets/tiny.json" | grep -E '^(model_type|text_config.hidden_size|unet_config.base):'
"$mdf" info --json "$project/presets/tiny.json" >all.json
"$mdf" info --json all.json | cmp - all.json && echo same
