#!/bin/sh
# check_layers.sh: the order of dependence between the folders of src/ and apps/ (docs/DESIGN.md).
# Reports every #include "layer/file.h" that the layer may not use.
set -eu
cd "$(dirname "$0")/.."
# shellcheck disable=SC2016 # the dollars are awk's
find src apps -name '*.[ch]' | sort | xargs awk '
    BEGIN {
        may["base"] = "base mdf.h"
        may["jinja"] = may["base"] " jinja"
        may["kernel"] = may["base"] " kernel"
        may["optim"] = may["kernel"] " optim"
        may["photo"] = may["base"] " photo"
        may["config"] = may["base"] " config"
        may["phantom"] = may["base"] " phantom"
        may["tensor"] = may["kernel"] " tensor"
        may["io"] = may["base"] " io"
        may["nn"] = may["tensor"] " config photo nn"
        may["language"] = may["io"] " jinja language"
        may["data"] = may["nn"] " io language data"
        may["hub"] = may["base"] " hub"
        may["weights"] = may["nn"] " io weights"
        may["train"] = may["data"] " weights optim train"
        may["convert"] = may["weights"] " language convert"
        may["report"] = may["train"] " report"
        may["engine"] = may["report"] " convert engine"
        may["bench"] = may["engine"] " bench"
        may["apps"] = may["bench"] " hub phantom"
    }
    /^#include "/ {
        split(FILENAME, part, "/")
        from = part[1] == "src" ? part[2] : part[1]
        path = $2
        gsub(/"/, "", path)
        if (index(path, "/") == 0 && path != "mdf.h") {
            next # a file of the same folder
        }
        split(path, to, "/")
        if (index(" " may[from] " ", " " to[1] " ") == 0) {
            printf "%s:%d: %s may not include %s\n", FILENAME, FNR, from, path
            bad = 1
        }
    }
    END { exit bad }'
