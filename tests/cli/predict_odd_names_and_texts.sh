# A name that is not UTF-8 stays readable JSON; a text that is not UTF-8 is refused.
name=$(printf 'a\xff\nb.png')
cp "$project/tests/golden/image/grey.png" "$name"
"$mdf" predict --quiet --json "$name" | grep '"image"'
"$mdf" predict --quiet --text "$(printf 'caf\xe9')" "$name"
echo "exit code $?"
"$mdf" predict --quiet --text "$(head -c 9000 /dev/zero | tr '\0' x)" "$name"
echo "exit code $?"
