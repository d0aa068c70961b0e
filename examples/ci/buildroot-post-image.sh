#!/bin/sh
# Buildroot: BR2_ROOTFS_POST_IMAGE_SCRIPT. Called with the directory of the images.
# VESALIUS_BASELINE: the dossier of the last release, so that only what is new fails the build.
set -eu
images=$1
image=${VESALIUS_IMAGE:-$images/rootfs.squashfs}
set -- "$image" -q --cache "${VESALIUS_CACHE:-$images/../vesalius-cache}" -o "$images/dossier.json" -f sarif --to "$images/vesalius.sarif"
if [ -n "${VESALIUS_BASELINE:-}" ]; then
	set -- "$@" --baseline "$VESALIUS_BASELINE"
fi
vesalius scan "$@"
