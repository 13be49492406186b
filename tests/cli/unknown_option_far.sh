# exit: 2
"$mdf" train --zzzzzzzz
