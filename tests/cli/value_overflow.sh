# exit: 2
"$mdf" train --seed 99999999999999999999
