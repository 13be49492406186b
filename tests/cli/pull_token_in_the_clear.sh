# exit: 1
# A token goes over an encrypted connection or to this machine, nowhere else.
MDF_TOKEN=abc "$mdf" pull org/tiny --hub http://hub.invalid --out here
HF_TOKEN=abc "$mdf" pull http://hub.invalid/org/tiny --out here
