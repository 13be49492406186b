#!/bin/sh
# check_prose.sh: lines of Markdown are at most 120 characters long. Tables, code and lines of a single word that
# cannot be broken (a link, say) may be longer.
set -eu
cd "$(dirname "$0")/.."
files=$(git ls-files -co --exclude-standard -- '*.md')
for file in $files; do
    [ ! -f "$file" ] || set -- "$@" "$file"
done
LC_ALL=C awk -v most=120 '
    FNR == 1 { fence = 0; code = 0; blank = 1 }
    /^ *```/ { fence = !fence; next }
    fence || /^\|/ { next }
    /^ *$/ { blank = 1; next }
    { code = /^    / && (blank || code); blank = 0 }
    code { next }
    {
        text = $0
        gsub(/[\200-\277]/, "", text) # in the C locale awk counts bytes: those that go on with a character go
        words = $1 ~ /^([-*+>#]+|[0-9]+[.)])$/ ? NF - 1 : NF # the mark of an item is no word
        if (length(text) > most && words > 1) {
            printf "%s:%d: %d characters, at most %d\n", FILENAME, FNR, length(text), most
            bad = 1
        }
    }
    END { exit bad }' "$@"
