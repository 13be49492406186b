# exit: 2
# No hub, and two of address and flags that contradict each other.
refused() {
    "$mdf" pull "$@" --out here
    code=$?
    [ $code = 2 ] || echo "exit code $code"
}
refused org/tiny
refused hf://org/tiny
refused https://hub.invalid/org/tiny --hub https://other.invalid
refused https://hub.invalid/org/tiny/tree/v1 --revision main
ls
exit $code
