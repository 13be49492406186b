# exit: 2
"$mdf" predict --explain layercam a.png || echo "exit code $?" >&2
"$mdf" predict --heatmap h.png --explain gradcam a.png || echo "exit code $?" >&2
"$mdf" predict --heatmap h.png --depth 6 a.png || echo "exit code $?" >&2
"$mdf" predict --heatmap h.png --explain occlusion --depth 2 a.png || echo "exit code $?" >&2
"$mdf" eval --model m --data d --explain-cases 0 || echo "exit code $?" >&2
"$mdf" eval --model m --data d --explain attention,lime
