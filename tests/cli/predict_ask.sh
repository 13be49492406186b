# Questions about pictures and without one, in words and as JSON; transformers gave the same answers (tests/golden/ask).
# It rounds no keys: of its answers two tokens may be 1e-4 apart.
ask=$project/tests/golden/ask
cp "$ask"/*.png .
"$mdf" predict -q --model "$ask/text" --kv-type f32 --max-tokens 12 --text "Left eye." --ask "What is the macula?" | od -An -c | head -2
"$mdf" predict -q --model "$ask/vision" --kv-type f32 --max-tokens 12 --json --ask "What is this?" --ask "Which eye is it?" --text "63-year-old female." high.png |
    tr -d ' \n' | grep -oE '"(image|question|end)":"[^"]*"|"prompt_tokens":[0-9]*|"tokens":\[[^]]*\]'
"$mdf" predict -q --lora "$ask/lora" --model "$ask/vision" --kv-type f32 --max-tokens 12 --json --ask "Which eye is it?" --text "63-year-old female." high.png |
    tr -d ' \n' | grep -oE '"tokens":\[[^]]*\]'
"$mdf" import -q "$ask/vision" --lora "$ask/lora" --out tuned
"$mdf" predict -q --model tuned --kv-type f32 --max-tokens 12 --json --ask "Which eye is it?" --text "63-year-old female." high.png |
    tr -d ' \n' | grep -oE '"tokens":\[[^]]*\]'
"$mdf" predict -q --model "$ask/vision" --max-tokens 1 --ask "What is this?" --ask "And this?" wide.png small.png | grep -a :
"$mdf" predict --model "$ask/vision" --max-tokens 3 --sample --seed 5 --ask "What is this?" wide.png >a
"$mdf" predict --model "$ask/vision" --max-tokens 3 --sample --seed 5 --ask "What is this?" wide.png >b
cmp a b && echo same
"$mdf" predict --model "$ask/text" --ask "What is this?" wide.png
echo "exit code $?"
"$mdf" predict -q --model "$ask/vision" --max-tokens 1 --json --ask "What is this?" nowhere.png wide.png | grep -E '"(image|question|error)"'
echo "exit code ${PIPESTATUS[0]}"
"$mdf" predict --model "$ask/text" wide.png
echo "exit code $?"
