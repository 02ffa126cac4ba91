#!/bin/bash
# The user, who may become root without a password. Argument: uid:gid.
set -e

groupadd --gid "${1#*:}" ai
useradd --uid "${1%:*}" --gid "${1#*:}" --groups sudo --create-home --home-dir /AI --shell /bin/bash ai
echo 'ai ALL=(ALL) NOPASSWD: ALL' >>/etc/sudoers
