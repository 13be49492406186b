# Heat-maps of the model that comes with the program: by every quick method, of one depth, of the bottleneck.
small=$project/models/small
"$mdf" data synth --quiet --patients 1 --size 128 --seed 5 --label amd data >/dev/null
eye=data/images/P0001_left.png
where() {
    "$mdf" predict --quiet --model "$small" --heatmap "$1.png" "${@:2}" "$eye" >"$1.txt" || echo "exit code $?"
}
where usual
where gradient --explain gradient
where layercam --explain layercam
where attention --explain attention
where depth --explain layercam --depth 2
where all --explain layercam --depth all
where five --explain gradient --depth 5
cmp usual.png layercam.png
cmp layercam.png all.png
cksum gradient.png layercam.png attention.png depth.png | cut -d ' ' -f 1 | sort -u | wc -l
cmp usual.txt depth.txt # explaining changes no answer
ls ./*.png
