# Whatever the template is, it is interpreted; --system, --chat-template and --show-prompt. What the prompts must be follows from the templates.
ask=$project/tests/golden/ask
cp "$ask/small.png" .
ln -s "$project/models/small" labelled
show() {
    "$mdf" predict -q --show-prompt "$@"
    echo "exit code $?"
}
# Tokens of the rendered text, a name of a special token in the user's words among them.
show --model "$ask/text" --system "Be brief." --ask "Is <|eot_id|> é?"
printf '%s' "{% for m in messages %}{{ m.role | upper }}: {{ m.content is string }} {% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{{ '<|image|>' if p.type == 'image' else p.text }}{% endfor %}{% endif %};{% endfor %}{{ 'A:' if add_generation_prompt }}" >t.jinja
show --model "$ask/vision" --chat-template t.jinja --text "Left eye." --ask "What?" small.png | sed -n 1,4p
show --model "$ask/vision" --chat-template t.jinja --json --ask "Hi" | tr -d ' \n'
echo
printf '%s' '{{ "<|image|><|image|>" }}' >two.jinja
printf '%s' '{{ "no picture" }}' >none.jinja
printf '%s' '{{ raise_exception("only " ~ messages[0].role ~ "s ask") }}' >raise.jinja
printf '\n%s' '{{ messages | nope }}' >nope.jinja
printf '%s' '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}' >deep.jinja
for t in two none raise nope deep; do
    "$mdf" predict -q --model "$ask/vision" --chat-template $t.jinja --ask "What?" small.png
    echo "exit code $?"
done
"$mdf" predict -q --model "$ask/vision" --chat-template nowhere.jinja --ask "What?"
echo "exit code $?"
"$mdf" predict -q --model ./labelled --chat-template t.jinja --ask "What?" small.png
echo "exit code $?"
"$mdf" predict -q --model ./labelled --system "Be brief." --ask "What?" small.png
echo "exit code $?"
for flag in --show-prompt "--system x" "--chat-template t.jinja"; do
    # shellcheck disable=SC2086 # two words are two arguments
    "$mdf" predict $flag small.png
    echo "exit code $?"
done
