# The same photograph, larger than the model's crop, has the same probabilities by predict and by eval, which reads
# crops that wait in memory. 0.00001: cases in one batch, or one by one, are summed in another order.
"$mdf" data synth --quiet --patients 4 --size 300 a >/dev/null
"$mdf" eval --quiet --model "$project/tests/golden/model" --data a --split train --text-as none --json e.json >/dev/null
"$mdf" predict --quiet --json --model "$project/tests/golden/model" a/images/*.png >p.json
# numbers FILE KEY OPEN: lines of picture, label, probability
numbers() {
    awk -F'"' -v key="$2" -v open="$3" '$2 == key { name = $4; sub(".*/", "", name) } $2 == open { on = 1; next }
        on && /}/ { on = 0 } on { value = $3; gsub("[:, ]", "", value); print name "|" $2 "|" value }' "$1" | sort
}
numbers e.json file_name prob >e
numbers p.json image probabilities | grep -F -f <(cut -d'|' -f1 e | sort -u) >p
paste -d'|' e p | awk -F'|' '{ d = $3 - $6; d = d < 0 ? -d : d; bad += $1 != $4 || $2 != $5 || d > 0.00001 }
    END { print NR " probabilities, " bad + 0 " differ" }'
