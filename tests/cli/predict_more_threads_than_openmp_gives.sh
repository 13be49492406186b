# oneDNN would wait for threads that OpenMP never starts.
cp "$project/tests/golden/image/grey.png" .
"$mdf" data synth --quiet --patients 7 --size 64 a >/dev/null
export OMP_THREAD_LIMIT=1 OMP_NUM_THREADS=2
timeout 100 "$mdf" predict --quiet --threads 2 a/images/P0001_left.png | wc -l
