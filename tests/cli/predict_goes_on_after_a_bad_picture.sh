# exit: 1
# One picture that can't be read does not keep the others from being looked at.
cp "$project/tests/golden/image/text.jpg" "$project/tests/golden/image/grey.png" .
"$mdf" predict --quiet grey.png text.jpg none.png grey.png
code=$?
"$mdf" predict --quiet --json grey.png text.jpg 2>/dev/null | grep -E '"(image|error)"'
exit $code
