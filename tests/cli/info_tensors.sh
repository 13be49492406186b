# A file put together by hand: one F32 tensor of two numbers.
printf '\x44\0\0\0\0\0\0\0{"a.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}     \0\0\200\77\0\0\0\100' >x.safetensors
"$mdf" info x.safetensors
