#!/bin/sh
# check_size.sh: files of the library and the program stay below 600 lines.
set -eu
cd "$(dirname "$0")/.."
find include src apps -name '*.[ch]' | sort | xargs wc -l | awk '
    $2 != "total" && $1 >= 600 { printf "%s: %d lines, split it\n", $2, $1; bad = 1 }
    END { exit bad }'
