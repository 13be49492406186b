diff <("$mdf" help) <("$mdf" --help) && diff <("$mdf" help) <("$mdf" -h) &&
    diff <("$mdf" help data split) <("$mdf" data split --val 0.3 -h)
