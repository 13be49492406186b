#!/bin/sh
# install-deps.sh GROUP...: installs the Debian packages of the groups that are missing, and says so.
# Groups: build (compile and test), clang (second compiler, fuzzing), lint, cov.
set -eu

packages_of() {
    case $1 in
    build)
        # libdnnl-dev's CMake file looks for OpenCL, which the package does not depend on.
        echo gcc libc6-dev cmake ninja-build pkgconf libdnnl-dev ocl-icd-opencl-dev libvips-dev \
            libjansson-dev libpcre2-dev libutf8proc-dev libcairo2-dev libcurl4-openssl-dev ca-certificates \
            libcmocka-dev
        ;;
    clang)
        # The runtime of the sanitizers and of libFuzzer has clang's version in its name.
        # shellcheck disable=SC1091 # a file of the system
        . /etc/os-release
        if [ "${VERSION_ID:-13}" = 12 ]; then
            echo clang libomp-dev libclang-rt-14-dev
        else
            echo clang libomp-dev libclang-rt-19-dev
        fi
        ;;
    lint) echo clang-format clang-tidy libomp-dev codespell shellcheck ;;
    cov) echo gcovr ;;
    *)
        echo "install-deps.sh: unknown group '$1'" >&2
        exit 2
        ;;
    esac
}

if ! command -v dpkg-query >/dev/null; then
    echo "install-deps.sh: not a Debian system; install these by hand:" >&2
    for group in "$@"; do packages_of "$group" >&2; done
    exit 0
fi

missing=
for group in "$@"; do
    for package in $(packages_of "$group"); do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
        [ "$state" = installed ] || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    as_root=sudo
    if ! command -v sudo >/dev/null; then
        echo "these packages are missing, and only root can install them:$missing" >&2
        exit 1
    fi
fi
echo "installing Debian packages:$missing"
$as_root apt-get update -q
# shellcheck disable=SC2086 # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
