# exit: 2
"$mdf" predict --heatmap h.png a.png b.png
