#!/bin/bash
# lint.sh: every check of style, cheap ones first; goes on after a failure and reports all of them.
# TIDY=all (default), changed (files that differ from HEAD~1) or none.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
failed=()

check() {
    local name=$1
    shift
    echo "== $name"
    "$@" || failed+=("$name")
}

tracked() {
    # Files of the working tree that git knows or would add.
    git ls-files -co --exclude-standard -- "$@" | while read -r file; do
        [ ! -f "$file" ] || echo "$file"
    done
}

# The formatters of versions 14 and 19 differ in details; the older one is the judge.
format() {
    if clang-format --version | grep -qE 'version 1[4-6]\.'; then
        tracked '*.c' '*.h' | xargs clang-format --dry-run -Werror
    else
        echo "clang-format $(clang-format --version | grep -oE '[0-9]+\.[0-9.]+' | head -1): skipped, 14 is the judge"
    fi
}

shell() {
    tracked '*.sh' '*.bash' '.ci/run' 'tests/cli/run' | grep -v '^tests/cli/.*\.sh$' | xargs shellcheck &&
        tracked 'tests/cli/*.sh' | xargs shellcheck -s bash -e SC1091,SC2148,SC2154 # run by tests/cli/run
}

spelling() {
    tracked '*.c' '*.h' '*.md' '*.sh' '*.cmake' 'Makefile' '*CMakeLists.txt' | xargs codespell
}

tidy() {
    local mode=${TIDY:-all} files
    cmake --preset dev -B build/lint -DMDF_TESTS=OFF >/dev/null || return 1
    case $mode in
    none) return 0 ;;
    changed) files=$(git diff --name-only HEAD~1 -- 'src/*.c' 'apps/*.c') ;;
    *) files=$(tracked 'src/*.c' 'apps/*.c') ;;
    esac
    # Only what is built here: other architectures' kernels have no compile command.
    for file in $files; do
        if grep -qF "$PWD/$file\"" build/lint/compile_commands.json; then
            echo "$file"
        fi
    done | xargs -r -P "$(nproc)" -n 4 clang-tidy -p build/lint --quiet \
        --extra-arg=-Wno-unknown-warning-option 2>/dev/null
}

check "clang-format" format
check "layers" tools/check_layers.sh
check "banned functions" tools/check_banned.sh
check "file sizes" tools/check_size.sh
check "prose lines" tools/check_prose.sh
check "shellcheck" shell
check "codespell" spelling
check "clang-tidy" tidy

if [ ${#failed[@]} -gt 0 ]; then
    printf 'lint failed: %s\n' "${failed[*]}" >&2
    exit 1
fi
echo "lint passed"
