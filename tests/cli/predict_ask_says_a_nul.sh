# A model of random weights that is asked for bytes says all of them: a NUL does not end the answer, in JSON it is
# \u0000, and what is no UTF-8 is U+FFFD; as text, controls do not reach the terminal.
"$mdf" init -q --config tiny --out model >/dev/null
ask() {
    "$mdf" predict -q --model model --ask a --sample --temperature 100 --top-k 1000000 --max-tokens 300 --seed 1 "$@"
}
ask --json >reply.json
tokens=$(sed -n '/"tokens"/,/\]/p' reply.json | tr -d ' \n' | grep -oE '[0-9]+' | grep -cx 0)
[ "$tokens" -gt 0 ] && echo "a NUL is said"
[ "$(grep '"answer"' reply.json | grep -o '\\u0000' | wc -l)" = "$tokens" ] && echo "every NUL is in the JSON"
grep '"answer"' reply.json | grep -q $'\xEF\xBF\xBD' && echo "so is what is no UTF-8"
iconv -f UTF-8 -t UTF-8 reply.json >/dev/null && echo "the JSON is UTF-8"
[ "$(ask | tr -dc '\000-\010\013-\037\177' | wc -c)" = 0 ] && echo "no control reaches the terminal"
