# A folder that comes with train and test gets its val out of train; the test cases stay what they are.
"$mdf" data synth -q --patients 12 --size 32 --seed 5 --label normal --label dr from >/dev/null
mkdir -p photos/train/normal photos/train/dr photos/test/normal photos/test/dr
n=0
for picture in from/images/*; do
    n=$((n + 1))
    side=train
    [ $((n % 4)) != 0 ] || side="test"
    label=normal
    [ $((n / 2 % 2)) = 0 ] || label=dr
    cp "$picture" "photos/$side/$label/"
done
find photos/test -type f | wc -l
"$mdf" data split --val 0.25 --test 0.25 --out split photos | grep test
grep -c '/test/.*,test' split/metadata.csv
grep -E '/test/.*,(train|val)' split/metadata.csv && echo 'a test picture trains'
grep -E '/train/.*,test' split/metadata.csv && echo 'a training picture tests'
grep -cE '/train/.*,val' split/metadata.csv
# Nothing is missing any more.
"$mdf" data split --out again split || echo refused
