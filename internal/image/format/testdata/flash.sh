#!/bin/sh
# Makes the samples of the formats of raw flash anew, beside this script. Needs root
# (device nodes) and Debian's mtd-utils, util-linux, genromfs, erofs-utils, python3; and for YAFFS2
# mkyaffs2image of the YAFFS2 sources and mkyaffs2 of yaffs2utils 0.2.9 in the PATH,
# else those samples are left as they are.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export SOURCE_DATE_EPOCH=1700000000 TZ=UTC

# pack makes a file a sample, compressed since most of it is empty space. A sample that is
# there stays, for not all tools write the same bytes twice: remove it to renew it.
pack() { # FILE SAMPLE
	mkdir -p "$here/${2%/*}"
	[ -e "$here/$2.packed" ] || gzip -9nc "$1" >"$here/$2.packed"
}

# The tree that all file systems hold.
mkdir -p tree/bin tree/dev tree/etc/deep/er tree/empty
printf 'root:x:0:0:root:/root:/bin/sh\n' >tree/etc/passwd
python3 - <<'PY'
import os, random
random.seed(1)
open("tree/etc/long.txt", "wb").write(b"".join(b"%d the quick brown fox %d\n" % (i, i * i % 97) for i in range(600)))
open("tree/bin/tool", "wb").write(random.randbytes(5000))
with open("tree/etc/deep/er/sparse.dat", "wb") as f:
    f.write(b"begin")
    f.seek(30000)
    f.write(b"end")
open("tree/etc/deep/er/" + "a-rather-long-name-" * 4 + "é", "wb").write(b"x")
open("tree/empty.txt", "wb").close()
PY
chmod 4755 tree/bin/tool
ln -s tool tree/bin/link
ln -s "$(printf 'long/%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)target" tree/bin/slow
ln tree/etc/passwd tree/etc/passwd-
mknod tree/dev/console c 5 1
mknod tree/dev/mmcblk b 179 300
mkfifo tree/dev/initctl
chown -h 1000:100000 tree/etc/long.txt
python3 - <<'PY'
import os
os.setxattr("tree/bin/tool", "user.note", b"measured")
os.setxattr("tree/bin/tool", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
os.setxattr("tree/etc/passwd", "user.big", b"v" * 110)
PY
find tree -exec touch -h -d @1600000000 {} +

# UBIFS, and UBI around it.
for c in none lzo zlib zstd; do
	mkfs.ubifs -m 512 -e 15872 -c 64 -x $c -r tree -o ubifs-$c.img
	pack ubifs-$c.img ubifs/$c.img
done
python3 "$here/flash.py" ubifs ubifs-lzo.img
for f in ubifs-journal ubifs-index ubifs-super ubifs-data ubifs-nolog; do
	pack $f.img ubifs/${f#ubifs-}.img
done
seq -f 'v1.2, the kernel lies here: line %g' 1 600 >kernel
cat >ubinize.cfg <<'CFG'
[kernel]
mode=ubi
image=kernel
vol_id=3
vol_type=static
vol_name=kernel
vol_alignment=1
[rootfs]
mode=ubi
image=ubifs-zlib.img
vol_id=0
vol_type=dynamic
vol_name=rootfs
vol_flags=autoresize
[data]
mode=ubi
vol_id=1
vol_type=dynamic
vol_name=data
vol_size=128KiB
CFG
ubinize -m 512 -s 256 -p 16KiB -Q 305419896 -o whole.ubi ubinize.cfg >/dev/null
pack whole.ubi ubi/whole.ubi
mkfs.ubifs -m 8 -e 16256 -c 64 -x zlib -r tree -o nor.img
sed s/ubifs-zlib/nor/ ubinize.cfg >nor.cfg
ubinize -m 1 -p 16KiB -Q 0 -o nor.ubi nor.cfg >/dev/null
pack nor.ubi ubi/nor.ubi
python3 "$here/flash.py" ubi whole.ubi
for f in shuffled table two cut missing spare; do
	pack $f.ubi ubi/$f.ubi
done

# JFFS2, both byte orders.
mk() { # NAME OPTIONS...
	name=$1
	shift
	mkfs.jffs2 -r tree -e 16KiB "$@" -o jffs2-$name.img
}
mk zlib -l --with-xattr -x lzo -x rtime -p
mk big -b --with-xattr -x lzo -x rtime
mk lzo -l -X lzo -x zlib -x rtime -n
mk rtime -l -x zlib -x lzo
mk none -b -m none
sumtool -l -e 16KiB -i jffs2-zlib.img -o jffs2-summary.img
for f in zlib big lzo rtime none summary; do
	pack jffs2-$f.img jffs2/$f.img
done
python3 "$here/flash.py" jffs2 jffs2-zlib.img
for f in used lzma bad-old; do
	pack jffs2-$f.img jffs2/$f.img
done

# cramfs and romfs.
for order in little big; do
	mkfs.cramfs -N $order -n pump -e 7 tree cramfs-$order.img 2>/dev/null
done
mkfs.cramfs -p -N little tree cramfs-pad.img 2>/dev/null
head -c 6000 cramfs-little.img >cramfs-cut.img
for f in little big pad cut; do
	pack cramfs-$f.img cramfs/$f.img
done
genromfs -d tree -f romfs-whole.img -V pump
pack romfs-whole.img romfs/whole.img
python3 "$here/flash.py" rom romfs-whole.img cramfs-little.img
pack cramfs-bad.img cramfs/damaged.img
pack romfs-bad.img romfs/damaged.img

# YAFFS2.
if command -v mkyaffs2image >/dev/null && command -v mkyaffs2 >/dev/null; then
	mkyaffs2image tree yaffs-image.img >/dev/null
	mkyaffs2 -p 4096 -s 128 tree yaffs-large.img >/dev/null
	mkyaffs2 -e -p 2048 -s 64 tree yaffs-big.img >/dev/null
	python3 "$here/flash.py" yaffs yaffs-image.img
	for f in image large big used; do
		pack yaffs-$f.img yaffs2/$f.img
	done
fi

# EROFS
ero() { # NAME OPTIONS...
	name=$1
	shift
	mkfs.erofs -T 1700000000 -U 01234567-89ab-cdef-0123-456789abcdef "$@" erofs-$name.img tree >/dev/null 2>&1
	pack erofs-$name.img erofs/$name.img
}
ero plain
ero compact -E force-inode-compact
ero chunk -E force-inode-chunk-indexes --chunksize=4096
ero lz4 -z lz4hc
ero legacy -z lz4 -E legacy-compress
ero big -z lz4hc -C 65536
ero tail -z lz4hc -E ztailpacking
head -c 9000 erofs-plain.img >erofs-cut.img
pack erofs-cut.img erofs/cut.img
