"$mdf" --version
