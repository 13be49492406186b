# A model without text and fusion is explained by what it has, and by nothing else.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
"$mdf" train --quiet --config tiny --data data --out picture --set unet_config.image_size=32 \
    --set vision_config.image_size=28 --set batch_size=4 --set epochs=1 --set fusion_config.grid=4 \
    --set train_config.task=picture --set answer_config.image_head=true >/dev/null
"$mdf" eval --model picture --data data --split train --explain attention 2>&1 >/dev/null | tail -1
"$mdf" eval --model picture --data data --split train --bootstrap 50 --labels dr --explain all \
    --explain-cases 1 2>&1 >table.txt | grep explain
grep -o '^layercam, depth 5' table.txt
for method in gradient layercam occlusion; do
    "$mdf" predict --quiet --model picture --heatmap "$method.png" --explain "$method" \
        data/images/P0001_left.png >/dev/null && echo "$method"
done
"$mdf" predict --quiet --model picture --heatmap where.png --explain attention \
    data/images/P0001_left.png 2>&1
ls ./*.png
# Learned at 32 pixels, where the grid of a fusion to come would not fit.
"$mdf" train --quiet --config tiny --data data --out small --set unet_config.image_size=96 --set fusion_config.grid=6 \
    --set train_config.picture_side=32 --set vision_config.image_size=28 --set batch_size=4 --set epochs=1 \
    --set train_config.task=picture --set answer_config.image_head=true --set mask_weight=0 >/dev/null
"$mdf" predict --quiet --model small --heatmap small.png data/images/P0001_left.png >/dev/null && echo small
