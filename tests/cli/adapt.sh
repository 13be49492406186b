# mdf adapt: statistics of norms from photographs, whatever their labels are; what can't be had.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
tiny_train data run --set unet_config.encoder=efficientnet_lite0 --set fusion_config.grid=2 \
    --set fusion_config.cells=1 --set answer_config.image_head=true --set epochs=1 --threads 1 >/dev/null
"$mdf" data synth --quiet --patients 12 --size 64 --seed 9 --label normal --label dr camera >/dev/null
eye=camera/images/P0001_left.png
numbers() { sed 's/[0-9]\.[0-9]*/N/g'; }

"$mdf" adapt --quiet --threads 1 --model run --data camera --out adapted | numbers
answer() { "$mdf" predict -q --json --model "$1" "$eye" | grep '"dr": 0'; }
answer run | numbers
cmp -s <(answer run) <(answer adapted) || echo "another answer"

# Neither labels nor masks are read, and the same photographs give the same model.
cp -r camera unlabelled
cut -d, -f1,2 <camera/metadata.csv >unlabelled/metadata.csv
head -1 unlabelled/metadata.csv
"$mdf" adapt --quiet --threads 1 --json --model run --data unlabelled --out again | numbers
same_files adapted again config.json model.safetensors
"$mdf" adapt --quiet --threads 1 --model run --data camera/images --split val --out part
echo "exit code $?"
"$mdf" adapt --quiet --threads 1 --model run --data camera/images --weight 1 --out all 2>/dev/null | grep -c 'weight 1'

# The sets of labels are gone until they are measured anew.
"$mdf" predict --quiet --model adapted --coverage 0.8 "$eye"
echo "exit code $?"
"$mdf" calibrate --quiet --model adapted --data camera >/dev/null
"$mdf" predict --quiet --model adapted --coverage 0.8 "$eye" | tr '\t' '\n' | grep -c '^set: '

# What can't be had.
"$mdf" adapt --quiet --model run --data camera --out adapted
echo "exit code $?"
"$mdf" adapt --quiet --model run --data camera --out run
echo "exit code $?"
"$mdf" data synth --quiet --patients 3 --size 32 --seed 9 --label normal few >/dev/null
"$mdf" adapt --quiet --model run --data few --out other
echo "exit code $?"
tiny_train data plain --set epochs=1 --threads 1 >/dev/null
"$mdf" adapt --quiet --model plain --data camera --out other
echo "exit code $?"
cp "$eye" cut.png
mkdir broken
cp camera/images/*.png broken
head -c 900 cut.png >broken/P0003_left.png
"$mdf" adapt --quiet --model run --data broken --out other
echo "exit code $?"
[ ! -e other ] && echo "nothing is left"
