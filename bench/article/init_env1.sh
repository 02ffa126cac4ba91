#!/bin/bash
# Packages, from every suite of the archive that the image names, sources included.
export DEBIAN_FRONTEND=noninteractive

# shellcheck source=/dev/null
. /etc/os-release
archive=$(awk '$1 == "deb" {print $2; exit}' /etc/apt/sources.list)

# NVIDIA changed the key of its lists in 2022: with them, no update works any more.
rm -f /etc/apt/sources.list.d/*

for suite in "" -security -updates -proposed -backports; do
    echo "deb $archive $VERSION_CODENAME$suite main restricted universe multiverse"
    echo "deb-src $archive $VERSION_CODENAME$suite main restricted universe multiverse"
done >/etc/apt/sources.list

# An archive that dropped a suite is an error to apt, though the other lists are there.
apt-get update || true
apt-mark hold cuda* || true
apt-get install -y vim sudo net-tools openssh-server
