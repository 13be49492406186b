# What can't be segmented, and what must not be written over, is said in a sentence; nothing is left behind.
segment() {
    "$mdf" segment "$@" >out.txt
    echo "exit code $?"
}
mdf_init() {
    "$mdf" init --quiet --config tiny --set answer_config.labels=normal,dr "$@" >/dev/null
}
"$mdf" data synth --quiet --patients 1 --size 64 --seed 5 --label dr eyes >/dev/null
cp eyes/images/P0001_left.png eye.png
"$mdf" data synth --quiet --patients 1 --size 64 --seed 5 --label normal none >/dev/null
cp none/lesion_masks/P0001_left.png black.png
mdf_init --set unet_config.masks=[] --out blind
mdf_init --out drawer
segment --model blind --out masks eye.png                                  # no decoder
segment --model "$project/tests/golden/ask/text" --out masks eye.png       # nor even a U-Net
segment --model drawer --quiet --out masks black.png                              # no field of view
segment --model drawer --quiet --out masks nothing.png
segment --model drawer --quiet --out masks nothing.png black.png
ls -d masks
mkdir masks
echo mine >masks/eye_vessel.png
segment --model drawer --quiet --out masks eye.png
cat masks/eye_vessel.png
segment --model drawer --quiet --force --out masks eye.png
rm masks/eye_vessel.png
cp eye.png masks/eye_lesion.png
segment --model drawer --quiet --force --out masks eye.png masks/eye_lesion.png           # the second is the first's output
cmp eye.png masks/eye_lesion.png
ln -sf ../eye.png masks/eye_lesion.png
segment --model drawer --quiet --force --out masks eye.png
segment --model drawer --quiet --out blind eye.png                                        # a model's folder
segment --model drawer --quiet --out eye.png eye.png
segment --model drawer --quiet --out eyes/images/new/masks eyes                           # among what is read
segment --model drawer --quiet --out eyes/images/../masks eyes/images
ls eyes
