# exit: 2
"$mdf" train --resume=yes
