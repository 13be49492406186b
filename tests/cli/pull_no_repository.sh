# exit: 1
# A name that is none is refused before anything is asked.
"$mdf" pull org/../tiny --hub http://127.0.0.1:9 --out here
