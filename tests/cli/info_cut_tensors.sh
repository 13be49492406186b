# exit: 1
printf '\x44\0\0\0\0\0\0\0{"a.weight":' >x.safetensors
"$mdf" info x.safetensors
