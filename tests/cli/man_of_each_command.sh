# Every man page names each long option of the help text.
"$mdf" help --commands | while read -r command; do
    # shellcheck disable=SC2086 # a command may be two words
    page=$("$mdf" help --man $command) || echo "man page of $command fails"
    # shellcheck disable=SC2086
    "$mdf" help $command | sed -n 's/^  .*--\([a-z-]*\).*/\1/p' | sort -u | while read -r option; do
        escaped=${option//-/\\-}
        case $page in
        *'\-\-'"$escaped"*) ;;
        *) echo "the man page of $command lacks --$option" ;;
        esac
    done
    for section in NAME SYNOPSIS DESCRIPTION OPTIONS EXAMPLES "EXIT STATUS"; do
        case $page in
        *".SH $section"*) ;;
        *) echo "the man page of $command lacks $section" ;;
        esac
    done
done
"$mdf" help --man | grep -c '^\.B '
