#!/bin/bash
# demo.sh MDF [DATA]: the whole way, from data to a heat-map, into runs/demo: draws phantom cases (or
# takes the folder DATA), trains preset tiny, evaluates on the held-out cases, explains one picture.
set -euo pipefail
mdf=$(realpath "$1")
data=${2-}
out=runs/demo
started=$SECONDS

say() { printf '\n== %s (%s s)\n' "$*" "$((SECONDS - started))"; }

# first_case TABLE SPLIT [FILE]: "file_name<TAB>text" of the first case of that split (any case when the
# table has no such column), or of FILE. Quoted fields may hold commas, quotes and line breaks.
first_case() {
    awk -v wanted="$2" -v file="${3-}" '
        function parse(record, field,    n, i, c, quoted) {
            n = 1
            field[1] = ""
            for (i = 1; i <= length(record); i++) {
                c = substr(record, i, 1)
                if (quoted && c == "\"" && substr(record, i + 1, 1) == "\"") {
                    field[n] = field[n] c
                    i++
                } else if (c == "\"") {
                    quoted = !quoted
                } else if (c == "," && !quoted) {
                    field[++n] = ""
                } else {
                    field[n] = field[n] c
                }
            }
            return n
        }
        {
            sub(/\r$/, "")
            record = record == "" ? $0 : record " " $0
            copy = record
            if (gsub(/"/, "", copy) % 2) {
                next # a line break inside quotes
            }
            n = parse(record, field)
            record = ""
            if (!header) {
                header = 1
                for (i = 1; i <= n; i++) {
                    column[field[i]] = i
                }
                next
            }
            if (file != "" && field[column["file_name"]] != file) {
                next
            }
            if (!("split" in column) || field[column["split"]] == wanted) {
                text = ("text" in column) ? field[column["text"]] : ""
                gsub(/\t/, " ", text)
                print field[column["file_name"]] "\t" text
                exit
            }
        }' "$1"
}

# has_sides SPLITS: are train, val and test among these?
has_sides() {
    local side
    for side in train val test; do
        case " $1 " in
        *" $side "*) ;;
        *) return 1 ;;
        esac
    done
}

# pick_case DATA [FILE]: sets picture and text to that case, or to a case of the test split.
pick_case() {
    local row='' file
    text=
    if [ -f "$1/metadata.csv" ]; then
        row=$(first_case "$1/metadata.csv" test "${2-}")
        [ -n "$row" ] || row=$(first_case "$1/metadata.csv" test)
        file=${row%%$'\t'*}
        text=${row#*$'\t'}
        case $file in
        /*) picture=$file ;;
        *) picture=$1/$file ;;
        esac
        return
    fi
    local folder=$1
    [ ! -d "$1/test" ] || folder=$1/test
    picture=$(find "$folder" -type f \( -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' -o \
        -iname '*.tif' -o -iname '*.tiff' -o -iname '*.webp' \) | LC_ALL=C sort | sed -n 1p)
}

if [ -n "$data" ] && [ ! -d "$data" ]; then
    echo "demo: $data is not a folder" >&2
    exit 1
fi
rm -rf "$out"
mkdir -p "$out"

if [ -z "$data" ]; then
    data=$out/phantoms
    say "drawing phantoms: invented eyes with known truth"
    "$mdf" data synth --patients 140 --size 160 "$data"
fi
say "checking the data"
"$mdf" data check "$data" | tee "$out/check.txt"
if ! has_sides "$(sed -n 's/^class *\(.*\) all$/\1/p' "$out/check.txt" | sed -n 1p)"; then
    say "splitting the cases by patient; $data stays as it is"
    "$mdf" data split --replace --out "$out/split" "$data"
    data=$out/split
fi

say "training preset tiny"
"$mdf" train --config tiny --data "$data" --out "$out/run"

say "evaluating on the cases that training has not seen"
"$mdf" eval --model "$out/run" --data "$data" --split test --json "$out/result.json" \
    --report "$out/report.html"

# A case whose heat-map lies on the lesion, where the data has lesion masks and there is one.
pick_case "$data" "$(sed -n 's/^ *"example": "\(.*\)".*/\1/p' "$out/result.json")"
if [ -z "$picture" ]; then
    echo "demo: no picture found in $data" >&2
    exit 1
fi
say "explaining $picture"
arguments=(--model "$out/run" --heatmap "$out/heatmap.png")
if [ -n "$text" ]; then
    echo "text: $text"
    arguments+=(--text "$text")
fi
"$mdf" predict "${arguments[@]}" -- "$picture"

say "done"
cat <<END
report    $out/report.html
heat-map  $out/heatmap.png
numbers   $out/result.json, with a row a case
model     $out/run

Not a medical device: results are for research and must not guide care.
END
