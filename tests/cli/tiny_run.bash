# Sourced by cases: a training that takes a second or two.
# shellcheck shell=bash disable=SC2154 # mdf comes from tests/cli/run
# tiny_data DIR: phantoms of two labels, 16 pictures.
tiny_data() {
    "$mdf" data synth --quiet --patients 8 --size 32 --seed 5 --label normal --label dr "$1" >/dev/null
}

# tiny_train DATA RUN [OPTION]...: in the background "tiny_exec=exec tiny_train ... &", so that $! is the
# program itself and wait waits for its end.
tiny_train() {
    ${tiny_exec:-} "$mdf" train --quiet --config tiny --data "$1" --out "$2" --set unet_config.image_size=32 \
        --set fusion_config.grid=4 --set text_config.hidden_size=32 \
        --set text_config.intermediate_size=64 --set vision_config.image_size=28 \
        --set batch_size=4 --set epochs=6 "${@:3}"
}

# same_files A B FILE...: says which differ.
same_files() {
    local file
    for file in "${@:3}"; do
        cmp "$1/$file" "$2/$file" || echo "$file differs"
    done
}
