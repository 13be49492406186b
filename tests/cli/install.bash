#!/bin/bash
# install.bash BUILD CC: what an installation must give: a program that finds its presets, man pages,
# and a library that another program can compile and link against through pkg-config alone.
set -eu
build=$1
cc=$2
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
cmake --install "$build" --prefix "$prefix" >/dev/null

cat >"$prefix/user.c" <<'END'
#include <mdf.h>
#include <stdio.h>
int main(void)
{
    puts(mdf_status_text(MDF_ERR_NOMEM));
    return 0;
}
END
pc=$(find "$prefix" -name mdf.pc)
export PKG_CONFIG_PATH=${pc%/mdf.pc}
# shellcheck disable=SC2046 # flags are words
"$cc" -std=c11 -Wall -Wextra -Werror "$prefix/user.c" $(pkg-config --cflags --libs mdf) -o "$prefix/user"
LD_LIBRARY_PATH=${pc%/pkgconfig/mdf.pc} "$prefix/user" | grep -qx 'out of memory'

for file in bin/mdf include/mdf.h share/man/man1/mdf.1 share/man/man1/mdf-train.1 \
    share/man/man1/mdf-data-synth.1 share/mdf/presets/tiny.json; do
    if [ ! -s "$prefix/$file" ]; then
        echo "not installed: $file"
        exit 1
    fi
done
"$prefix/bin/mdf" --version | grep -q '^mdf [0-9]'
