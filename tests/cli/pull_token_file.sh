# exit: 1
# The file before the variable; an empty one is an error.
printf ' \n' >token
MDF_TOKEN=abc "$mdf" pull org/tiny --hub http://127.0.0.1:9 --token-file token --out here
