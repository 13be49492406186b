# Weights and settings cut, tampered, missing or of another model.
cp "$project/tests/golden/image/grey.png" .
weights=$project/models/small/model.safetensors
try() {
    "$mdf" predict --quiet --model "$1" grey.png
    echo "exit code $?"
}
fresh() {
    rm -rf m
    mkdir m
    cp "$project/models/small/config.json" "$weights" m
    chmod u+w m/*
}
fresh && head -c 1000000 "$weights" >m/model.safetensors && try m
fresh && : >m/model.safetensors && try m
fresh && printf '\377\377\377\377' | dd of=m/model.safetensors bs=1 seek=4 conv=notrunc status=none && try m
fresh && sed -i 's/"mdf.level.1.norm.weight"/"mdf.level.1.norm.weighs"/' m/model.safetensors && try m
fresh && rm m/model.safetensors && try m
fresh && rm m/config.json && try m
fresh && head -c 500 "$project/models/small/config.json" >m/config.json && try m
fresh && sed -i 's/"grid"/"gridd"/' m/config.json && try m
fresh && sed -i 's/"epochs": *[0-9]*/"epochs": 999999999/' m/config.json && try m
fresh && sed -i 's/"intermediate_size": *[0-9]*/"intermediate_size": 8/' m/config.json && try m
try nowhere
try grey.png
