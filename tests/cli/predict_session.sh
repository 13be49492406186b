# Questions as turns of one conversation that is saved and resumed: the same answers as in one go, to the token.
ask=$project/tests/golden/ask
cp "$ask/wide.png" "$ask/small.png" .
talk() {
    "$mdf" predict -q --max-tokens 6 "$@"
}
facts() {
    tr -d ' \n' | grep -oE '"(prompt_tokens":[0-9]*|tokens":\[[^]]*\])'
}
refused() {
    talk "$@"
    echo "exit code $?"
}
talk --model "$ask/vision" --json --session whole --text "Left eye." --ask "What is this?" --ask "Which eye is it?" wide.png | facts >want
talk --model "$ask/vision" --json --session talk --text "Left eye." --ask "What is this?" wide.png | facts >got
cp talk first
rm wide.png
talk --model "$ask/vision" --json --session talk --ask "Which eye is it?" | facts >>got
cmp want got && wc -l <got && cmp whole talk && echo "no break is to be seen"
# A question that stands for itself reads less.
talk --model "$ask/vision" --json --ask "What is this?" --ask "Which eye is it?" small.png | facts | grep -c prompt
cmp <(talk --model "$ask/vision" --json --ask "What is this?" --ask "Which eye is it?" small.png | facts | sed -n 3p) \
    <(sed -n 3p want) >/dev/null || echo "a turn has what was said before it"
# The prompt of a turn has the turns before it, and nothing is written.
talk --model "$ask/vision" --session first --show-prompt --ask "Which eye is it?" >shown
grep -aoE '^(<[^ ]*user.*|.*Which eye is it.*)$|<.image.>Left eye.$|^What is this.*assistant' shown
talk --model "$ask/text" --session new --system "Be brief." --show-prompt --ask "Hi" | sed -n 1,3p
test -e new || echo "nothing is written"
# Several photographs before the first question.
cp "$ask/wide.png" .
talk --model "$ask/vision" --session two --together --ask "Which is darker?" wide.png small.png >/dev/null
talk --model "$ask/vision" --session two --ask "Which is sharper?" >/dev/null && echo "goes on"

refused --model "$ask/vision" --session talk --ask "What?" small.png
refused --model "$ask/vision" --session talk --system "Be brief." --ask "What?"
refused --model "$ask/vision" --session new --ask "What?" small.png wide.png
refused --model "$ask/vision" --session small.png --ask "What?"
refused --model "$ask/vision" --session talk --show-prompt --ask "What?" --ask "Why?"
"$mdf" predict --session talk small.png
refused --model small --session new --ask "What?" small.png
refused --model "$ask/vision" --session nowhere/talk --ask "What?" small.png
cp -r "$ask/vision" mine
talk --model ./mine --session mine/talk --ask "What?" small.png >/dev/null
talk --model ./mine --session mine/talk --ask "What?" >/dev/null && echo "a session may lie beside its model"
refused --model ./mine --session mine/config.json --ask "What?"
refused --model "$ask/vision" --kv-type f32 --session talk --ask "What?"
refused --model "$ask/text" --session talk --ask "What?" 2>&1 | sed -E 's/[0-9a-f]{12}/SUM/g; s|\(/.*/text|(text|'
sed -i 's/"rope_theta": 10000.0/"rope_theta": 10001.0/' mine/config.json
refused --model ./mine --session talk --ask "What?" 2>&1 | sed -E 's/[0-9a-f]{12}/SUM/g'
head -c 5000 talk >half
refused --model "$ask/vision" --session half --ask "What?"
{ head -c -1 talk && printf x; } >flipped
refused --model "$ask/vision" --session flipped --ask "What?"
refused --model "$ask/vision" --session /dev/null --ask "What?"
stat -c %s half
# What does not fit on the disk leaves the old file whole, as does a question that can't be answered.
cp talk old
(ulimit -f 4 && talk --model "$ask/vision" --session talk --ask "And now?" >/dev/null)
echo "exit code $?"
cmp talk old && echo "still whole"
talk --model "$ask/vision" --session talk --ask "And now?" --ask "$(printf 'x%.0s' {1..600})" >/dev/null
echo "exit code $?"
cmp talk old && echo "still whole"
talk --model "$ask/vision" --session talk --ask "And now?" >/dev/null && ! cmp -s talk old && echo "goes on"
# So does Ctrl-C, with many questions for a model that remembers much.
cp -r "$ask/text" long
sed -i 's/"max_position_embeddings": 256/"max_position_embeddings": 100000/' long/config.json
talk --model ./long --session long.talk --ask "What is the macula?" >/dev/null
cp long.talk old
questions=()
for ((i = 0; i < 3000; i++)); do questions+=(--ask "Question $i?"); done
"$mdf" predict -q --model ./long --session long.talk --max-tokens 6 "${questions[@]}" >said 2>stopped &
while [ ! -s said ] && kill -0 $! 2>/dev/null; do sleep 0.05; done
kill -INT $!
wait $!
echo "exit code $?"
grep -o stopped stopped # in a prompt or behind some tokens
cmp long.talk old && echo "still whole"
ls
