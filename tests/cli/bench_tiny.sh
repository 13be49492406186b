# One quick pass over the model's parts; the numbers are this machine's, the keys and the zero
# allocations are not.
"$mdf" bench --quiet --json --config tiny --batch 2 --repeat 1 --threads 1 --only step --only attention >out.json
grep -o '"allocations": [0-9]*' out.json
grep -c '"what": "attention backward"' out.json
sed 's/"train_config": {/&"task": "segment", "freeze": ["unet.enc"],/' "$project/presets/tiny.json" >masks.json
"$mdf" bench --quiet --json --config masks.json --batch 2 --repeat 1 --threads 1 --only step >out.json
grep -o '"allocations": [0-9]*' out.json
