# shellcheck shell=bash disable=SC1091
# Ends /etc/bash.bashrc. \H, unlike \h, does not cut the container's name at its first dot.
PS1='${LOGIN_NAME:+[$LOGIN_NAME] }\u@\H:\w\$ '
. /etc/profile.d/10-conda.sh
