#!/bin/sh
# make-man.sh MDF DIR: writes the man page of the program and of every command to DIR.
set -eu
mdf=$1
dir=$2
mkdir -p "$dir"
"$mdf" help --commands | while read -r command; do
    page=mdf-$(echo "$command" | tr ' ' '-').1
    # shellcheck disable=SC2086 # a command may be two words
    "$mdf" help --man $command >"$dir/$page"
done
"$mdf" help --man >"$dir/mdf.1"
