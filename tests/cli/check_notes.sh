# What was passed over or read otherwise than it stands there is said by every command that reads the data: in the
# report of data check, on stderr of the others, and not at all with --quiet.
"$mdf" data synth --quiet --patients 8 --size 32 --label dr --label normal a >/dev/null
mkdir -p b/dr/p1 b/normal
cp a/images/P0001_left.png b/dr/p1/1.JFIF && cp a/images/P0001_right.png b/normal/2.png
cp a/images/P0002_left.png b/cover.png && : >b/dr/3.bmp && : >b/dr/notes.txt
"$mdf" data check --skip-images b
"$mdf" data check --skip-images --json b | grep -c "b: "
"$mdf" data split --val 0.3 --test 0 --out s b
"$mdf" data split --quiet --val 0.3 --test 0 --out q b
# A spreadsheet's table: other spellings, words for nothing, a blank row.
sed -i 's/^file_name,label,patient_id,/File Name,Label ,Patient-ID,/; s/,P0003,/,nan,/; $a ,,,,,,,,,' a/metadata.csv
"$mdf" data check a | sed -n '/^notes/,$p'
