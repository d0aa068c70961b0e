#!/bin/sh
# Makes the samples of the compression formats. Needs gzip, bzip2, xz, lzip, zstd, lz4,
# lzop, ncompress, python3.
set -eu
cd "$(dirname "$0")"
mkdir -p gzip zlib bzip2 xz lzma lzip zstd lz4 lz4-legacy lzop compress
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
seq -f 'line %g of a text that compresses well' 1 400 >"$tmp/text"
touch -d @1700000000 "$tmp/text"
printf 'a second piece\n' >"$tmp/more"
tail='These bytes follow the stream and are no part of it.'

# gzip: name and time in the header; two members, then bytes that are none; cut off
(cd "$tmp" && gzip -9 -k text)
cp "$tmp/text.gz" gzip/name.gz
(gzip -n <"$tmp/text"; gzip -n <"$tmp/more"; printf '%s' "$tail") >gzip/two-and-tail.gz
head -c 900 "$tmp/text.gz" >gzip/cut.gz
# damage in the middle, and a second stream behind it
{ head -c 600 "$tmp/text.gz"; printf 'XXXXXXXX'; tail -c +609 "$tmp/text.gz"; gzip -n <"$tmp/more"; } >gzip/damaged.gz
# a name that would leave the directory
python3 - "$tmp/more" gzip/bad-name.gz <<'PY'
import gzip, sys
data = gzip.compress(open(sys.argv[1], 'rb').read(), mtime=0)
open(sys.argv[2], 'wb').write(data[:3] + b'\x08' + data[4:10] + b'../../etc/passwd\0' + data[10:])
PY
python3 - "$tmp" <<'PY'
import sys, zlib
text = open(sys.argv[1] + '/text', 'rb').read()
for level in (1, 6, 9):
    open('zlib/level%d.zlib' % level, 'wb').write(zlib.compress(text, level) + b'bytes that follow')
open('zlib/small.zlib', 'wb').write(zlib.compress(b'a short text'))
open('zlib/bad-text.zlib', 'wb').write(b'x\x9c is how this text begins, but it is no stream')
PY
bzip2 <"$tmp/text" >bzip2/text.bz2
(bzip2 -1 <"$tmp/text"; bzip2 <"$tmp/more"; printf '%s' "$tail") >bzip2/two-and-tail.bz2
head -c 500 bzip2/text.bz2 >bzip2/bad-cut.bz2
xz -T1 <"$tmp/text" >xz/text.xz
(xz --check=sha256 --x86 --lzma2 <"$tmp/text"; printf '\0\0\0\0'; xz -C none <"$tmp/more"; printf '%s' "$tail") >xz/two-and-tail.xz
head -c 300 xz/text.xz >xz/bad-cut.xz
xz --format=lzma <"$tmp/text" >lzma/text.lzma
# with the size in the header, as the kernel's build writes it, and something behind it
python3 - "$tmp" <<'PY'
import os, struct, sys
data = open('lzma/text.lzma', 'rb').read()
size = os.path.getsize(sys.argv[1] + '/text')
open('lzma/sized-and-tail.lzma', 'wb').write(data[:5] + struct.pack('<Q', size) + data[13:] + b'bytes that follow')
PY
lzip <"$tmp/text" >lzip/text.lz
(lzip <"$tmp/text"; lzip <"$tmp/more"; printf '%s' "$tail") >lzip/two-and-tail.lz
zstd -q -19 <"$tmp/text" >zstd/text.zst
(printf '\120\052\115\030\004\000\000\000skip'; zstd -q --no-check <"$tmp/text"; zstd -q <"$tmp/more"; printf '\137\052\115\030\002\000\000\000ok%s' "$tail") >zstd/skip-two-and-tail.zst
head -c 150 zstd/text.zst >zstd/cut.zst
for i in 1 2 3 4 5 6 7 8 9; do cat "$tmp/text"; done >"$tmp/many"
zstd -q --train -o "$tmp/dict" --maxdict=1024 -B500 "$tmp/many" 2>/dev/null
zstd -q -D "$tmp/dict" <"$tmp/text" >zstd/bad-dictionary.zst
lz4 -q <"$tmp/text" >lz4/text.lz4
# linked blocks of 64 kB with checksums and the content's size
for i in 1 2 3 4 5 6 7; do cat "$tmp/text"; done >"$tmp/long"
(lz4 -q -9 -B4 -BD -BX --content-size "$tmp/long" -c; lz4 -q --no-frame-crc <"$tmp/more"; printf '%s' "$tail") >lz4/linked-two-and-tail.lz4
head -c 700 lz4/text.lz4 >lz4/bad-cut.lz4
lz4 -q -l <"$tmp/text" >lz4-legacy/text.lz4
# as in a kernel: the size of the content stands behind the frame
(lz4 -q -l <"$tmp/text"; printf '\000\100\000\000') >lz4-legacy/kernel.lz4
# the first block is full, the second ends the frame; erased flash follows
(head -c 9000000 /dev/zero | lz4 -q -l -9; head -c 64 /dev/zero | tr '\0' '\377') | gzip -9n >lz4-legacy/blocks.lz4.packed
(cd "$tmp" && lzop -q -9 text && lzop -q -1 -F more)
cp "$tmp/text.lzo" lzop/text.lzo
(cat "$tmp/text.lzo" "$tmp/more.lzo"; printf '%s' "$tail") >lzop/two-and-tail.lzo
head -c 700 "$tmp/text.lzo" >lzop/cut.lzo
compress -f <"$tmp/text" >compress/text.Z
# long enough for the table to fill and be cleared
seq 1 30000 | compress -f -b 12 | head -c 30000 >compress/cleared.Z
