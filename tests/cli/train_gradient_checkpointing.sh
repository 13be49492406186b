# Layers that are computed again in backward: not a bit of the weights differs, whatever the fusion.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
for attend in branch concat; do
    for again in false true; do
        tiny_train data "$attend-$again" --threads 1 --set epochs=1 --set dropout=0.1 \
            --set "fusion.attend=$attend" --set 'fusion.map=[[1,1],[3,2]]' --set "gradient_checkpointing=$again" >/dev/null
    done
    cmp "$attend-false/model.safetensors" "$attend-true/model.safetensors" && echo "$attend: the same"
done
cmp -s branch-true/model.safetensors concat-true/model.safetensors || echo "and the fusions differ"
# Dropout is felt.
tiny_train data dry --threads 1 --set epochs=1 --set 'fusion.map=[[1,1],[3,2]]' >/dev/null
cmp -s dry/model.safetensors branch-true/model.safetensors || echo "and so does dropout"
