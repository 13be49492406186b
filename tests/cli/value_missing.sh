# exit: 2
"$mdf" train --config
