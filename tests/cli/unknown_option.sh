# exit: 2
"$mdf" train --confg x.json
