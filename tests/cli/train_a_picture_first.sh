# The U-Net with its classifier alone, then everything from there; a pretrained encoder's shape, and files
# that are none of its.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
eyes=(--set unet_config.encoder=efficientnet_lite0 --set fusion_config.grid=2 --set fusion_config.cells=1
    --set answer_config.image_head=true --set epochs=1 --threads 1)
tiny_train data first "${eyes[@]}" --set task=picture --json | grep '"epochs"'
"$mdf" predict -q --json --model first data/images/P0001_left.png | grep -cE '"(normal|dr)": 0'
"$mdf" info --tensors first | grep -E '^mdf.aux|encoder.head.weight'
tiny_train data second "${eyes[@]}" --init first --json | grep '"epochs"'
"$mdf" predict -q --json --model second data/images/P0001_left.png | grep -cE '"(normal|dr)": 0'
"$mdf" info --tensors second | grep -E '^mdf.aux|encoder.head.weight'
"$mdf" train --data data --out without --set task=answer --set 'fusion.map=[]' --threads 1 --init first 2>&1 |
    grep 'tensors'
# Without the U-Net; with another one, whose tensors are not these.
"$mdf" train --data data --out blind --set task=answer --set 'fusion.map=[]' --set use_unet=false --set image_head=false \
    --threads 1 --init first 2>&1 | grep 'tensors'
"$mdf" train --quiet --data data --out other --set task=answer --set unet_config.encoder=plain --threads 1 --init first
echo "exit code $?"
cp "$project/tests/golden/torch/llama/pytorch_model.bin" other.pth
tiny_train data third "${eyes[@]}" --encoder other.pth
echo "exit code $?"
tiny_train data third --set epochs=1 --encoder other.pth
echo "exit code $?"
tiny_train data third --set task=picture
echo "exit code $?"
