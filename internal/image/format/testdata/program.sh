#!/bin/sh
# Makes the samples of boot images and of the encodings of firmware anew, beside this
# script. Needs Debian's android-sdk-libsparse-utils, mkbootimg, srecord, dfu-util,
# binutils, gcc, e2fsprogs, python3; and in the PATH trx of OpenWrt's firmware-utils,
# uf2conv.py of github.com/microsoft/uf2 and mkbootimg.py of AOSP (for versions 1 to 4):
# samples whose tool is missing are left as they are.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export SOURCE_DATE_EPOCH=1700000000 E2FSPROGS_FAKE_TIME=1700000000 TZ=UTC

keep() { # FILE SAMPLE
	mkdir -p "$here/${2%/*}"
	[ -e "$here/$2" ] || cp "$1" "$here/$2"
}
pack() { # FILE SAMPLE
	mkdir -p "$here/${2%/*}"
	[ -e "$here/$2.packed" ] || gzip -9nc "$1" >"$here/$2.packed"
}
have() { command -v "$1" >/dev/null; }

mkdir -p small/etc
echo 'v1.2' >small/etc/version
touch -d @1600000000 small/etc/version small/etc small
(cd small && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --reproducible --quiet) | gzip -9n >ramdisk
seq -f 'kernel line %g' 1 400 >kernel
printf 'second stage\n' >second
printf '\320\015\376\355 not a tree' >dtb

# TRX. This trx writes four bytes of its own into the fourth part, after the checksum.
if have trx; then
	trx -o v1.trx -f kernel -a 1024 -f ramdisk >/dev/null
	trx -2 -o v2.trx -f kernel -f second -f ramdisk -f dtb >/dev/null
	keep v1.trx trx/v1.trx
	{ head -c 700 /dev/zero; cat v2.trx; echo 'this follows'; } >flash.bin
	keep flash.bin trx/flash.bin
	head -c 6500 v1.trx >cut.trx
	keep cut.trx trx/cut.trx
fi

# Android sparse image
mke2fs -q -F -t ext2 -b 1024 -N 16 -U 01234567-89ab-cdef-0123-456789abcdef -E hash_seed=01234567-89ab-cdef-0123-456789abcdef -r 1 -d small small.img 512
python3 - <<'PY'
b = bytearray(open("small.img", "rb").read())
b[200 * 1024 : 264 * 1024] = b"\x5a" * 65536
open("small.img", "wb").write(b)
PY
img2simg small.img small.simg 4096
keep small.simg sparse/small.simg
python3 - <<'PY'
import struct
b = open("small.simg", "rb").read()
open("cut.simg", "wb").write(b[:9000])
# far more blocks than there is room for
open("huge.simg", "wb").write(b[:16] + struct.pack("<I", 0xFFFFFFFF) + b[20:])
PY
keep cut.simg sparse/cut.simg
keep huge.simg sparse/bad-huge.simg

# Android boot images
boot() { # NAME OPTIONS...
	name=$1
	shift
	"$@" --kernel kernel --ramdisk ramdisk --cmdline 'console=ttyMSM0,115200 androidboot.selinux=permissive' --os_version 11.0.0 --os_patch_level 2021-03 --pagesize 2048 -o "$name" >/dev/null
	keep "$name" "bootimg/$name"
}
boot v0.img mkbootimg --board pump --second second
if have mkbootimg.py; then # Debian's writes version 0 only
	boot v1.img mkbootimg.py --header_version 1 --recovery_dtbo dtb
	boot v2.img mkbootimg.py --header_version 2 --dtb dtb --second second
	boot v3.img mkbootimg.py --header_version 3
	boot v4.img mkbootimg.py --header_version 4
	for v in 3 4; do
		mkbootimg.py --header_version $v --vendor_boot vendor$v.img --vendor_ramdisk ramdisk --dtb dtb --vendor_cmdline quiet --board pump >/dev/null
		keep vendor$v.img bootimg/vendor$v.img
	done
fi
head -c 5000 v0.img >cut.img
keep cut.img bootimg/cut.img

# A PE program, without and with something behind it.
printf 'void _start(void) { for (;;); }\nchar text[] = "some text";\n' >start.c
gcc -c -ffreestanding -fno-asynchronous-unwind-tables -Os -o start.o start.c
ld -m i386pep --subsystem 10 -e _start -o start.exe start.o 2>/dev/null || objcopy -O pei-x86-64 --subsystem 10 start.o start.exe
keep start.exe pe/start.exe
{ cat start.exe; seq -f 'this follows the program, line %g' 1 40; } >tail.exe
keep tail.exe pe/tail.exe
head -c 500 start.exe >cut.exe
keep cut.exe pe/cut.exe

# Hexadecimal and block encodings
{ cat kernel; head -c 600 /dev/zero | tr '\0' '\377'; cat ramdisk; } >app.bin
cat second >loader.bin
srec_cat loader.bin -binary -offset 0x08000000 app.bin -binary -offset 0x08004000 second -binary -offset 0x1fff0100 -o far.hex -intel
keep far.hex ihex/far.hex
srec_cat second -binary -offset 0xffc0 -o segment.hex -intel -address-length=3
keep segment.hex ihex/segment.hex
{ head -n 20 far.hex; echo ':100000000000000000000000000000000000000099'; sed -n '21,40p' far.hex; } >damaged.hex
keep damaged.hex ihex/damaged.hex
printf ':this is text\n:10 lines of it\n' >text.hex
keep text.hex ihex/bad-text.hex
for w in 2 3 4; do
	srec_cat app.bin -binary -offset 0x100 second -binary -offset 0x8000 -o s$w.srec -motorola -address-length=$w -execution-start-address=0x100 -header pump
	keep s$w.srec srec/s$w.srec
done
{ head -n 10 s3.srec; sed -n 11,20p s3.srec | tr 4 5; sed -n '21,$p' s3.srec; echo 'text behind it'; } >damaged.srec 2>/dev/null || true
sed -n 1,30p s4.srec >cut.srec
keep damaged.srec srec/damaged.srec
keep cut.srec srec/cut.srec
if have uf2conv.py; then
	uf2conv.py -c -b 0x10000000 -f RP2040 -o app.uf2 app.bin >/dev/null
	uf2conv.py -c -f NRF52840 -o far.uf2 far.hex >/dev/null
	keep app.uf2 uf2/app.uf2
	cat far.uf2 app.uf2 >both.uf2
	pack both.uf2 uf2/both.uf2
	{ head -c 1024 app.uf2; tail -c +2049 app.uf2 | head -c 2048; printf 'end'; } >holes.uf2
	keep holes.uf2 uf2/holes.uf2
fi
cp app.bin app.dfu
dfu-suffix -v 0483 -p df11 -d 0200 -a app.dfu >/dev/null
keep app.dfu dfu/app.dfu
python3 - <<'PY'
import struct, zlib
app, loader = open("app.bin", "rb").read(), open("loader.bin", "rb").read()
elements = b"".join(struct.pack("<II", a, len(b)) + b for a, b in ((0x08000000, loader), (0x08004000, app)))
target = b"Target" + struct.pack("<BI255sII", 0, 1, b"ST...", len(elements), 2) + elements
b = b"DfuSe\x01" + struct.pack("<IB", 11 + len(target), 1) + target
b += struct.pack("<HHHH3sB", 0xFFFF, 0xDF11, 0x0483, 0x011A, b"UFD", 16)
b += struct.pack("<I", zlib.crc32(b) ^ 0xFFFFFFFF)
open("st.dfu", "wb").write(b)
open("cut.dfu", "wb").write(b[:400] + b[-16:])
PY
keep st.dfu dfu/st.dfu
keep cut.dfu dfu/cut.dfu

# 7z
mkdir -p seven/dir
cp kernel seven/dir/kernel
cp start.exe seven/dir/start.exe
chmod 4755 seven/dir/start.exe
: >seven/empty
ln -s dir/kernel seven/link
find seven -exec touch -h -d @1600000000 {} +
seven() { # NAME OPTIONS...
	name=$1
	shift
	[ -e "$here/7z/$name.7z" ] || (cd seven && 7z a -bd -y -snl "$@" "../$name.7z" . >/dev/null)
	[ ! -e "$name.7z" ] || keep "$name.7z" "7z/$name.7z"
}
seven lzma -m0=LZMA -mf=off
seven lzma2 -m0=LZMA2 -mf=off
seven bcj -m0=BCJ -m1=LZMA
seven bcj-lzma2 -m0=BCJ -m1=LZMA2 -mhc=off
seven copy -m0=Copy -mf=off
seven deflate -m0=Deflate -mf=off -ms=off
seven bzip2 -m0=BZip2 -mf=off
seven bad-ppmd -m0=PPMd -mf=off
seven bad-secret -psecret -mf=off
head -c 3000 "$here/7z/copy.7z" >cut.7z
keep cut.7z 7z/bad-cut.7z
python3 - "$here/7z/copy.7z" <<'PY'
import sys
b = bytearray(open(sys.argv[1], "rb").read())
b[100] ^= 0xFF
open("damaged.7z", "wb").write(b)
PY
keep damaged.7z 7z/damaged.7z
