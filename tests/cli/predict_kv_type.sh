# Types of the keys and values of what was read: f16 without the flag; blocks of 32 only for heads of whole blocks.
ask=$project/tests/golden/ask
cp "$ask/high.png" .
question() {
    "$mdf" predict -q --max-tokens 4 --ask "What is this?" "$@" high.png
}
question --model "$ask/vision" >usual.txt
question --model "$ask/vision" --kv-type f16 >half.txt
cmp usual.txt half.txt && echo "f16 is the usual one"
question --model "$ask/vision" --kv-type q8_0
echo "exit code $?"
for type in f16 bf16 f32 q8_0; do
    question --model small --json --kv-type $type | grep -c '"answer"'
done
