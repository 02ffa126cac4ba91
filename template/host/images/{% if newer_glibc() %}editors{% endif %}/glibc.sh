#!/usr/bin/env bash
# A newer glibc for editors' servers alone, in the images whose own is older than they
# want. The Dockerfiles run it as root after init_env1.sh. Nothing is installed: the
# libraries of Ubuntu 20.04 lie in a folder that no other program searches.
set -euo pipefail

suite=focal
packages=(libc6 libstdc++6 libgcc-s1 libatomic1 patchelf)
libraries=/opt/editors/lib
work=/tmp/apt/editors # in the build cache: the next image downloads nothing again

main() {
    if download; then
        unpack
        install --mode=755 /tmp/editors/patchelf.sh /opt/editors/patchelf
    else
        echo "glibc.sh: warning: no packages of Ubuntu $suite from the archive of this image, so editors' servers" \
            "will not start in it; when the archive has them, run: docker compose build --no-cache" >&2
    fi
}

# The keyring of this Ubuntu verifies the packages of the other one too.
download() {
    mkdir -p "$work"/{lists/partial,cache/archives/partial,archives}
    list_sources >"$work/sources.list"
    apt_get update && (cd "$work/archives" && apt_get download "${packages[@]}")
}

# The archives of the image, so the answered mirror, with the suites of the other Ubuntu.
list_sources() {
    local codename
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    sed -nE "s/^(deb .*[^ ]) +$codename(-updates|-security)? (.* )?main( .*)?$/\1 $suite\2 main/p" \
        /etc/apt/sources.list | sed "s/ $suite main$/& universe/" | sort -u
}

apt_get() {
    apt-get --quiet --quiet -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$work/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$work/cache" \
        -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

unpack() {
    local package archive
    rm -rf "$work/tree"
    for package in "${packages[@]}"; do # the build cache may have older versions
        archive=$(printf '%s\n' "$work/archives/${package}_"*.deb | sort -V | tail -n 1)
        dpkg-deb --extract "$archive" "$work/tree"
    done
    install -d "$libraries"
    find "$work"/tree/{lib,usr/lib}/x86_64-linux-gnu -maxdepth 1 -name '*.so*' \
        -exec cp --no-dereference --target-directory="$libraries" {} +
    install --target-directory="$libraries" "$work/tree/usr/bin/patchelf"
    rm -rf "$work/tree"
}

main
