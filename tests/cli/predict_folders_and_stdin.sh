# A folder stands for all pictures below it, in byte order; what is no picture is counted, by its ending. A minus is a
# picture on standard input.
image=$project/tests/golden/image
mkdir -p in/a/deep in/b none
cp "$image/grey.png" in/a/deep/eye # what is in it counts, not how it is called
cp "$image/grey.png" in/b/two.png
cp "$image/grey.png" in/b/One.PNG
cp "$image/text.jpg" in/b/broken.jpg
touch in/b/notes.txt in/b/more.TXT in/table.csv in/README in/b/._two.png none/x.txt
mkfifo in/pipe.png
ln -s .. in/b/up
"$mdf" predict in "$image/grey.png" 2>talk.txt | sed "s#$image/##"
echo "exit code ${PIPESTATUS[0]}"
grep -v warning talk.txt
"$mdf" predict --quiet --json in 2>/dev/null | grep '"image"'
"$mdf" predict --quiet none
echo "exit code $?"
"$mdf" predict --quiet --heatmap where.png in/b
echo "exit code $?"
"$mdf" predict --quiet --heatmap where.png in/a
ls where.png
"$mdf" predict --quiet --json - <in/b/two.png | grep '"image"'
"$mdf" predict --quiet - </dev/null
echo "exit code $?"
"$mdf" predict --quiet - - <in/b/two.png
echo "exit code $?"
head -c 268435457 /dev/zero | "$mdf" predict --quiet -
echo "exit code $?"
"$mdf" predict --quiet --model "$project/tests/golden/ask/vision" --max-tokens 1 --json --ask "What is this?" - <in/b/two.png |
    grep -E '"(image|error)"'
"$mdf" predict --quiet --model "$project/tests/golden/ask/vision" --max-tokens 1 --json --ask "What is this?" in/a in/b 2>/dev/null |
    grep '"image"'
