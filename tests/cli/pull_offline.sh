# exit: 1
# Hugging Face's switch against the network holds here too.
HF_HUB_OFFLINE=1 "$mdf" pull https://hub.invalid/org/tiny --out here
