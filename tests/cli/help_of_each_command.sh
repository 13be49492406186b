# Every command has help with usage, options and an example; both ways of asking agree.
"$mdf" help --commands | while read -r command; do
    # shellcheck disable=SC2086 # a command may be two words
    text=$("$mdf" help $command) || echo "help $command fails"
    # shellcheck disable=SC2086
    [ "$text" = "$("$mdf" $command --help)" ] || echo "$command --help differs"
    for part in "usage: mdf $command" "options:" "--threads N" "--seed N" "--quiet" "example:"; do
        case $text in
        *"$part"*) ;;
        *) echo "help $command has no '$part'" ;;
        esac
    done
    case $text in
    *"--json"*) ;;
    *) echo "help $command has no --json" ;;
    esac
done
"$mdf" help --commands
