# One question about several pictures at once; transformers gave the same prompts and answers (tests/golden/ask).
ask=$project/tests/golden/ask
cp "$ask"/*.png .
together() {
    "$mdf" predict -q --together --kv-type f32 --max-tokens 12 "$@"
    echo "exit code $?"
}
facts() {
    tr -d ' \n' | grep -oE '"images":\[[^]]*\]|"(image|question|end|error)":"[^"]*"|"prompt_tokens":[0-9]*|"tokens":\[[^]]*\]|exitcode[0-9]*'
}
together --model "$ask/vision" --json --ask "Which is darker?" wide.png high.png | facts
together --model "$ask/vision" --json --ask "Which is darker?" high.png wide.png | facts
together --model "$ask/vision" --json --text "Left eye." --ask "Which is sharper?" small.png wide.png high.png | facts
# A folder's pictures, in byte order: high, small.
mkdir two && cp high.png small.png two
together --model "$ask/vision" --json --ask "What?" two | facts | sed -n 1p
# Every question has all pictures; with one picture it is a list of one.
together --model "$ask/vision" --ask "Which is darker?" --ask "Which is sharper?" wide.png high.png | grep -a png
together --model "$ask/vision" --json --ask "What is this?" wide.png | facts
together --model "$ask/vision" --show-prompt --text "Left eye." --ask "What?" small.png wide.png high.png
together --model "$ask/vision" --show-prompt --json --ask "What?" wide.png high.png | tr -d ' \n' | grep -oE '"images":\[[^]]*\]|"prompt":"[^"]*"|"id":679'
# One that can't be read fails the question.
together --model "$ask/vision" --json --ask "What?" wide.png nowhere.png | facts
cp "$0" bad.png
together --model "$ask/vision" --json --ask "What?" --ask "Why?" wide.png bad.png | facts
printf '%s' '{% for p in messages[0].content %}{{ "<|image|>" if loop.first }}{% endfor %}' >first.jinja
together --model "$ask/vision" --chat-template first.jinja --ask "What?" wide.png high.png
together --model "$ask/text" --ask "What?" wide.png high.png
together --model small --ask "What?" wide.png high.png
together --model small --show-prompt --ask "What?" wide.png high.png
together --model "$ask/vision" --ask "What?"
"$mdf" predict --together wide.png high.png
echo "exit code $?"
mkdir many
for i in $(seq 16); do cp small.png "many/$i.png"; done
together --model "$ask/vision" --json --ask "What?" many | facts | grep -E 'prompt_tokens|exit'
together --model "$ask/vision" --ask "What?" many small.png
