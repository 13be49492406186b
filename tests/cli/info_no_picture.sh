# exit: 1
echo hello >x.jpg
"$mdf" info x.jpg
