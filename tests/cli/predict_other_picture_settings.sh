# exit: 1
# Other means and deviations than the published ones are used; settings that can't be followed stop pictures, not
# questions without one. The same settings written out, or left out, give the same answer.
cp -r "$project/tests/golden/ask/vision" m && chmod -R u+w m
eye=$project/tests/golden/image/grey.png
ask() {
    "$mdf" predict -q --model m --max-tokens 6 --ask 'What is it?' "$@"
}
ask "$eye" >usual
ask >without
echo '{"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}' >m/preprocessor_config.json
ask "$eye" | cmp - usual && echo 'written out: the same'
echo '{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.001, 0.001, 0.001]}' >m/preprocessor_config.json
ask "$eye" | cmp -s - usual || echo 'others: another answer'
ask | cmp - without && echo 'no picture: the same'
"$mdf" train -q --init m --data nothing --out run
echo "exit code $?"
echo '{"resample": 3}' >m/preprocessor_config.json
ask | cmp - without && echo 'no picture: the same'
cp "$eye" eye.png && ask eye.png
