# exit: 1
# What lies within a repository, and pages that show no files, are refused with what to give instead.
"$mdf" pull https://hub.invalid/org/tiny/tree/main/sub/deep --out here
"$mdf" pull https://hub.invalid/datasets/org/tiny/resolve/v%201/a%20b.csv --out here
"$mdf" pull https://hub.invalid/datasets/org/tiny/blob/main/metadata.csv --out here
"$mdf" pull https://hub.invalid/org/tiny/discussions/3 --out here
"$mdf" pull https://hub.invalid/spaces/org/tiny --out here
ls
exit 1
