#!/bin/sh
# check_banned.sh: functions that have a safer replacement, and what may only stand in apps/.
set -eu
cd "$(dirname "$0")/.."
bad=0

# banned WORDS PATHS...: reports calls of the functions, in code (lines of comments start with * or /*).
banned() {
    words=$1
    shift
    if grep -nE "(^|[^A-Za-z0-9_>.\"])($words)[[:space:]]*\(" -r --include='*.c' --include='*.h' "$@" |
        grep -vE '^[^:]*:[0-9]*:[[:space:]]*(/?\*|//)'; then
        bad=1
    fi
}

# No bounds, hidden state, or no way to see an error.
banned 'strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|gets|rand|srand|gmtime|localtime|tmpnam|mktemp|alloca' \
    include src apps
# A library neither prints nor ends the program.
banned 'printf|puts|putchar|exit|_exit|quick_exit|perror|system' include src
# Memory of the library comes from base/alloc.h, so that tests can make every allocation fail.
banned 'malloc|calloc|realloc|strdup|strndup|free' src/kernel src/tensor src/nn src/data src/train src/report src/engine
if [ "$bad" != 0 ]; then
    echo "check_banned.sh: the functions above must not be used there" >&2
fi
exit "$bad"
