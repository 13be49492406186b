# Heat-maps are held against the signs of a photograph, whichever column marks them: the same masks as lesions, as hard
# exudates, and every other as a haemorrhage give the same numbers.
. "$project/tests/cli/tiny_run.bash"
tiny_data data
tiny_train data run --set epochs=1 >/dev/null
cp data/metadata.csv given.csv
measured() {
    "$mdf" eval --quiet --model run --data data --split train --bootstrap 50 --explain gradient --explain-cases 2 \
        --json - | sed -n '/"heatmap"/,$p' | grep -v '"ms"'
}
measured >lesion
sed '1s/lesion_mask/hard_exudate_mask/' given.csv >data/metadata.csv
measured >exudate
awk 'BEGIN { FS = OFS = "," }
    NR == 1 { print $0, "haemorrhage_mask" }
    NR > 1 && NR % 2 == 0 { print $0, "" }
    NR > 1 && NR % 2 == 1 { moved = $(NF - 2); $(NF - 2) = ""; print $0, moved }' given.csv >data/metadata.csv
measured >mixed
cmp lesion exudate
cmp lesion mixed
sed -n 's/^ *\("masks": [0-9]*\).*/\1/p' lesion

# The hottest cell of the usual map lies in the picture, and in one of its halves, or in both where their border runs
# through it: n, hits, chance of all, left, right.
sed '1s/lesion_mask/other/' given.csv >data/metadata.csv
checked() {
    {
        printf 'file_name,class,x0,y0,x1,y1\n'
        grep -o '^images/[^,]*' given.csv | sed "s/\$/,lesion,$1,0,$2,32/"
    } >data/boxes.csv
    "$mdf" eval --quiet --model run --data data --split train --bootstrap 50 --no-masks --json - |
        sed -n '/"heatmap"/,/}/s/^ *"\(n\|hits\|chance\)": \([0-9.]*\).*/\2/p' >"$3"
}
checked 0 32 all
checked 0 16 left
checked 16 32 right
paste all left right | awk 'NR == 1 { n = $1; print (n > 0 && n == $2 && n == $3) }
    NR == 2 { print ($1 == n && $2 + $3 >= n && $2 + $3 < 2 * n) }
    NR == 3 { print ($1 == 1 && $2 < 0.6 && $3 < 0.6 && $2 + $3 >= 1) }'
rm data/boxes.csv

# Without a mask nothing is said of where signs are, but of what the answer goes by.
sed '1s/lesion_mask/other/' given.csv >data/metadata.csv
measured >none
grep -c '"heatmap"' none
"$mdf" eval --quiet --model run --data data --split train --bootstrap 50 --explain gradient --explain-cases 2 >none.txt
grep -o 'none has a mask; at most 2' none.txt
awk '/^gradient, added  / { print $3, $4, $5, $6, $7, ($8 > 0 && $9 > 0) }' none.txt
