#!/bin/sh
# check_circles.sh FOLDER...: source files that call each other, from the object files below the folders of a build.
# Prints "a.c - b.c (what a.c uses of b.c; what b.c uses of a.c)" for every pair, and the files of every longer circle.
# src/jinja is one unit in many files: an interpreter, whose statements, expressions and calls hold each other by nature.
set -eu
if [ $# -eq 0 ]; then
    echo 'usage: check_circles.sh FOLDER... (with object files)' >&2
    exit 2
fi
# POSIX form: "path: symbol type value size"; a type in lower case is not seen outside (v, w: weak).
# shellcheck disable=SC2016 # the dollars are awk's
find "$@" -name '*.c.o' | sort | xargs nm -A -P -g | awk '
    function name(object) {
        sub(/^.*\.dir\//, "", object)
        sub(/\.o(\[[^]]*\])?:$/, "", object)
        return object
    }
    # Everything that can be reached from file f gets the mark of the file where the walk began.
    function walk(f, from,    list, n, i) {
        n = split(calls[f], list, " ")
        for (i = 1; i <= n; i++) {
            if (!((from, list[i]) in reaches)) {
                reaches[from, list[i]] = 1
                walk(list[i], from)
            }
        }
    }
    {
        file = name($1)
        if (!(file in known)) {
            known[file] = 1
            order[++files] = file
        }
        if ($3 == "U") {
            used[++uses] = file SUBSEP $2
        } else {
            home[$2] = file
        }
    }
    END {
        if (files == 0) {
            print "check_circles.sh: there are no object files" > "/dev/stderr"
            exit 2
        }
        for (i = 1; i <= uses; i++) {
            split(used[i], u, SUBSEP)
            to = home[u[2]]
            if (u[1] ~ /^jinja\// && to ~ /^jinja\//) {
                continue
            }
            if (to != "" && to != u[1]) {
                if (!((u[1], to) in what)) {
                    calls[u[1]] = calls[u[1]] " " to
                }
                what[u[1], to] = what[u[1], to] (what[u[1], to] == "" ? "" : ", ") u[2]
            }
        }
        for (i = 1; i <= files; i++) {
            walk(order[i], order[i])
        }
        for (i = 1; i <= files; i++) {
            a = order[i]
            circle = ""
            for (k = i; k <= files; k++) {
                b = order[k]
                if (k > i && (a, b) in what && (b, a) in what) {
                    printf "%s - %s (%s; %s)\n", a, b, what[a, b], what[b, a]
                    bad = 1
                }
                if (!(b in done) && (a, b) in reaches && (b, a) in reaches) {
                    circle = circle " " b
                    done[b] = 1
                }
            }
            if (split(circle, list, " ") > 2) {
                print "a circle of" circle
                bad = 1
            }
        }
        exit bad
    }'
