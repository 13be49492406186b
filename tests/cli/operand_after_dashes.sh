# exit: 2
"$mdf" predict --heatmap h.png -- --text -q
