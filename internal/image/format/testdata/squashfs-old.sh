#!/bin/sh
# Makes the samples of SquashFS 2 and 3 and of vendors' variants anew, beside this script.
# Needs root (device nodes), python3, and mksquashfs of squashfs-tools 2.1-r2, 2.2-r2 with
# 7-zip's lzma, 3.0, 3.3, and as Netgear (WNR1000), Cisco and Realtek shipped it, 4.0 with lzma, by the
# names below in the PATH; their sources are in the firmware mod kit. Samples whose tool is
# missing are left as they are.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
sed -n '/^# The tree/,/^find tree/p' "$here/flash.sh" >tree.sh
. ./tree.sh

old() { # TOOL NAME OPTIONS...
	tool=mksquashfs-$1 name=$2
	shift 2
	command -v "$tool" >/dev/null || return 0
	"$tool" tree "$name.sqfs" -noappend "$@" >/dev/null 2>&1
	[ -e "$here/squashfs/old-$name.sqfs" ] || cp "$name.sqfs" "$here/squashfs/old-$name.sqfs"
}
old 2.1 2.1 -b 8192
old 2.1 2.1-be -b 8192 -be
old 2.1 2.1-check -b 4096 -check_data -noI -noF
old 2.2-7z 2.2-lzma -b 32768
old 3.0 3.0 -b 8192
old 3.0 3.0-be -b 8192 -be -no-fragments
old 3.3 3.3 -b 8192
old 3.3 3.3-check -b 4096 -check_data -noI -noD
old 3.3 3.3-be -b 65536 -be
old 3.2-wnr1000 wnr1000 -b 65536
old 3.4-cisco cisco -b 65536
old 3.4-cisco cisco-be -b 8192 -be
old 4.0-realtek realtek -b 65536
old 4.0-lzma 4.0-lzma -b 65536
python3 - "$here/squashfs" <<'PY'
import os, sys
d = sys.argv[1]
def write(name, b):
    if not os.path.exists(f"{d}/{name}"):
        open(f"{d}/{name}", "wb").write(b)
b = bytearray(open(f"{d}/old-3.0.sqfs", "rb").read())
b[0x400:0x410] = bytes(16)
write("old-damaged.sqfs", b)
b = open(f"{d}/old-2.1.sqfs", "rb").read()
write("bad-old-cut.sqfs", b[:6000])
write("bad-version-1.sqfs", b[:28] + b"\x01\0\0\0" + b[32:])
b = open(f"{d}/old-cisco.sqfs", "rb").read()
write("old-magic.sqfs", b"sqlz" + b[4:])
b = open(f"{d}/old-4.0-lzma.sqfs", "rb").read()
write("old-4.0-lzma-as-gzip.sqfs", b[:20] + b"\x01" + b[21:])
PY
