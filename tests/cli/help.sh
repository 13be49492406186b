"$mdf" help
