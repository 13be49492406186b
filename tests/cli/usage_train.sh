# exit: 2
"$mdf" train --config c.json --data d
