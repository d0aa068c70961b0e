#!/bin/sh
# Makes the samples of disk file systems, partition tables and boot images anew, beside
# this script. Needs root (device nodes) and Debian's e2fsprogs, genext2fs, dosfstools,
# mtools, fdisk, gdisk, u-boot-tools, device-tree-compiler, xorriso, erofs-utils,
# android-sdk-libsparse-utils, cryptsetup-bin, lvm2, python3.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export SOURCE_DATE_EPOCH=1700000000 E2FSPROGS_FAKE_TIME=1700000000 MTOOLS_SKIP_CHECK=1 TZ=UTC

# keep and pack make a file a sample, pack a compressed one since most of it is empty
# space. A sample that is there stays, for not all tools write the same bytes twice:
# remove it to renew it.
keep() { # FILE SAMPLE
	mkdir -p "$here/${2%/*}"
	[ -e "$here/$2" ] || cp "$1" "$here/$2"
}
pack() { # FILE SAMPLE
	mkdir -p "$here/${2%/*}"
	[ -e "$here/$2.packed" ] || gzip -9nc "$1" >"$here/$2.packed"
}

# The tree that all file systems hold.
mkdir -p tree/bin tree/dev tree/etc/deep/er tree/empty
printf 'root:x:0:0:root:/root:/bin/sh\n' >tree/etc/passwd
python3 - <<'EOF'
import os, random
random.seed(1)
text = b"".join(b"%d the quick brown fox %d\n" % (i, i * i % 97) for i in range(600))
open("tree/etc/long.txt", "wb").write(text)
open("tree/bin/tool", "wb").write(random.randbytes(5000))
with open("tree/etc/deep/er/sparse.dat", "wb") as f:
    f.write(b"begin")
    f.seek(30000)
    f.write(b"end")
open("tree/etc/deep/er/" + "a-rather-long-name-" * 4 + "é", "wb").write(b"x")
open("tree/empty.txt", "wb").close()
EOF
chmod 4755 tree/bin/tool
ln -s tool tree/bin/link
ln -s "$(printf 'long/%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)target" tree/bin/slow
ln tree/etc/passwd tree/etc/passwd-
mknod tree/dev/console c 5 1
mknod tree/dev/mmcblk b 179 300
mkfifo tree/dev/initctl
chown -h 1000:100000 tree/etc/long.txt
python3 - <<'EOF'
import os
os.setxattr("tree/bin/tool", "user.note", b"measured")
os.setxattr("tree/bin/tool", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
os.setxattr("tree/etc/passwd", "user.big", b"v" * 110)
EOF
find tree -exec touch -h -d @1600000000 {} +

ext() { # NAME BLOCKS OPTIONS...
	name=$1 blocks=$2
	shift 2
	mke2fs -q -F -U 01234567-89ab-cdef-0123-456789abcdef -E hash_seed=01234567-89ab-cdef-0123-456789abcdef -L "$name" "$@" -d tree "$name.img" "$blocks"
	pack "$name.img" "ext/$name.img"
}
ext ext2 256 -t ext2 -b 1024 -I 128 -r 1
ext ext3 2200 -t ext3 -b 1024 -I 256
ext ext4 256 -t ext4 -b 4096 -I 256 -O ^has_journal
ext inline 512 -t ext4 -b 1024 -I 256 -O inline_data,^has_journal,metadata_csum,64bit
ext metabg 10240 -t ext4 -b 1024 -g 256 -N 512 -O meta_bg,^resize_inode,^has_journal,^flex_bg
cp inline.img damaged.img
debugfs -w -R 'set_inode_field /etc/long.txt block[5] 0x41414141' damaged.img 2>/dev/null
debugfs -w -R 'set_inode_field /bin/tool flags 0x80800' damaged.img 2>/dev/null
debugfs -w -R 'set_inode_field /etc/deep flags 0x10000800' damaged.img 2>/dev/null
debugfs -w -R 'feature needs_recovery' damaged.img 2>/dev/null >&2
pack damaged.img ext/damaged.img
genext2fs -b 128 -N 64 -d tree genext2fs.img -f -z 2>/dev/null
pack genext2fs.img ext/genext2fs.img

# Partition tables: a small ext2 in a partition, a text between two partitions.
mkdir -p small/etc
echo 'v1.2' >small/etc/version
touch -d @1600000000 small/etc/version small/etc small
mke2fs -q -F -t ext2 -b 1024 -N 16 -U 01234567-89ab-cdef-0123-456789abcdef -E hash_seed=01234567-89ab-cdef-0123-456789abcdef -r 1 -d small small.img 64
truncate -s 1M disk.img
printf 'label: dos\nlabel-id: 0x12345678\nunit: sectors\nstart=64,size=128,type=83,bootable\nstart=256,size=1024,type=5\nstart=258,size=128,type=c\nstart=512,size=64,type=82\nstart=1400,size=200,type=da\n' |
	sfdisk -q disk.img
dd status=none if=small.img of=disk.img bs=512 seek=64 conv=notrunc
echo 'U-Boot 2021.01 lies here' | dd status=none of=disk.img bs=512 seek=16 conv=notrunc
pack disk.img mbr/disk.img
head -c 720000 disk.img >cut.img
pack cut.img mbr/cut.img
gpt() { # NAME
	truncate -s 512K "$1"
	sgdisk -a 1 -U 11111111-2222-3333-4444-555555555555 -n 1:64:191 -c 1:rootfs_a -t 1:8300 -n 2:256:300 -c 2:'env ä' -t 2:3DE21764-95BD-54BD-A5C3-4ABE786F38A8 \
		-n 3:400:450 -t 3:EF00 -A 3:set:2 -u 1:R -u 1:11111111-2222-3333-4444-000000000001 -u 2:11111111-2222-3333-4444-000000000002 -u 3:11111111-2222-3333-4444-000000000003 "$1" >/dev/null
	dd status=none if=small.img of="$1" bs=512 seek=64 conv=notrunc
	echo 'SPL lies here' | dd status=none of="$1" bs=512 seek=48 conv=notrunc
}
gpt gpt.img
pack gpt.img gpt/disk.img
printf 'X' | dd status=none of=gpt.img bs=1 seek=600 conv=notrunc
pack gpt.img mbr/bad-backup.img
printf 'XXXXXXXX' | dd status=none of=gpt.img bs=1 seek=512 conv=notrunc
pack gpt.img mbr/backup-only.img

# U-Boot: legacy images, image trees, device trees, environments.
python3 - <<'EOF'
import random
random.seed(2)
open("kernel", "wb").write(b"kernel " * 100 + random.randbytes(1000))
open("script.txt", "w").write("setenv bootargs console=ttyS0\nbootm 0x80000000\n")
EOF
mkimage -A arm -O linux -T kernel -C none -a 80008000 -e 80008000 -n 'Linux-5.10.0' -d kernel kernel.img >/dev/null
keep kernel.img uimage/kernel.img
mkimage -A mips -O linux -T multi -C none -n 'kernel and root' -d kernel:small.img:script.txt multi.img >/dev/null
pack multi.img uimage/multi.img
mkimage -A arm64 -T script -n 'boot script' -d script.txt boot.scr >/dev/null
keep boot.scr uimage/boot.scr
{
	printf 'junk that comes before '
	cat kernel.img
	printf 'and after'
} >amid.img
keep amid.img uimage/amid.img
head -c 900 kernel.img >cutkernel.img
keep cutkernel.img uimage/cut.img

cat >board.dts <<'EOF'
/dts-v1/;
/ {
	model = "Example Pump Rev B"; compatible = "example,pump", "fsl,imx6ul";
	#address-cells = <1>; #size-cells = <1>;
	chosen { bootargs = "console=ttymxc0,115200 root=/dev/mtdblock3"; stdout-path = "serial0:115200n8"; };
	flash@0 { reg = <0 0x1000000>; partitions { compatible = "fixed-partitions"; #address-cells = <1>; #size-cells = <1>;
		partition@0 { label = "u-boot"; reg = <0 0x40000>; read-only; };
		partition@40000 { label = "u-boot-env"; reg = <0x40000 0x10000>; };
		data@50000 { reg = <0x50000 0xfb0000>; }; }; };
};
EOF
dtc -q -O dtb -o board.dtb board.dts
keep board.dtb dtb/board.dtb
cat >control.dts <<'EOF'
/dts-v1/;
/ { model = "control"; };
EOF
dtc -q -O dtb -o control.dtb control.dts
cat >image.its <<'EOF'
/dts-v1/;
/ {
	description = "pump 2.1"; #address-cells = <1>;
	images {
		kernel-1 { description = "Linux"; data = /incbin/("kernel"); type = "kernel"; arch = "arm"; os = "linux"; compression = "none";
			load = <0x80008000>; entry = <0x80008000>; hash-1 { algo = "sha256"; }; };
		fdt-1 { data = /incbin/("board.dtb"); type = "flat_dt"; arch = "arm"; compression = "none"; hash-1 { algo = "crc32"; }; };
		root { data = /incbin/("small.img"); type = "filesystem"; compression = "none"; };
		boot { data = /incbin/("script.txt"); type = "script"; compression = "none"; };
	};
	configurations { default = "conf-1"; conf-1 { kernel = "kernel-1"; fdt = "fdt-1";
		signature { algo = "sha256,rsa2048"; key-name-hint = "dev"; sign-images = "kernel", "fdt"; }; }; };
};
EOF
mkdir keys
openssl genrsa -out keys/dev.key 2048 2>/dev/null
openssl req -batch -new -x509 -key keys/dev.key -out keys/dev.crt 2>/dev/null
mkimage -f image.its plain.itb >/dev/null
cp plain.itb unsigned.itb
mkimage -F -k keys -K control.dtb -r plain.itb >/dev/null
keep control.dtb dtb/control.dtb
pack plain.itb fit/signed.itb
mkimage -E -f image.its external.itb >/dev/null
pack external.itb fit/external.itb

cat >env.txt <<'EOF'
baudrate=115200
bootargs=console=ttyS0,115200 root=/dev/mtdblock2
bootcmd=run a; bootm 0x9f050000
bootdelay=3
serverip=192.168.1.10
EOF
mkenvimage -s 0x1000 -p 0xff -o whole.bin env.txt
chmod 644 whole.bin
keep whole.bin uboot-env/whole.bin
mkenvimage -b -s 0x1000 -p 0x00 -o big.bin env.txt
mkenvimage -r -s 0x2000 -o redundant.bin env.txt
{
	head -c 4096 /dev/zero | tr '\0' 'u'
	cat big.bin redundant.bin redundant.bin
	head -c 4096 /dev/zero | tr '\0' '\377'
	printf 'default\0bootcmd=bootm\0bootdelay=5\0\0'
} >flash.bin
pack flash.bin uboot-env/flash.bin

# FAT and ISO 9660.
fat() { # NAME BITS BLOCKS OPTIONS...
	name=$1 bits=$2 blocks=$3
	shift 3
	mkfs.vfat -C -F "$bits" -i 12345678 -n "$(echo "$name" | tr '[:lower:]' '[:upper:]')" --invariant "$@" "$name.img" "$blocks" >/dev/null
	mmd -i "$name.img" ::/etc ::/etc/deep ::/EMPTY
	mcopy -m -i "$name.img" tree/etc/long.txt "::/etc/deep/A rather long name — with ünicode.bin.txt"
	mcopy -m -i "$name.img" tree/empty.txt ::/EMPTY.TXT
	mcopy -m -i "$name.img" tree/etc/passwd ::/gone.txt
	mcopy -m -i "$name.img" tree/etc/passwd ::/UPPER.TXT
	mcopy -m -i "$name.img" tree/etc/passwd ::/lower.txt
	mdel -i "$name.img" ::/gone.txt
	mattrib -i "$name.img" +r ::/lower.txt
	pack "$name.img" "fat/$name.img"
}
fat fat12 12 128 -s 1
fat fat16 16 5000 -s 1
fat fat32 32 33600 -s 1

xorriso -as mkisofs -quiet -R -J -V PUMP -publisher 'EXAMPLE' -b boot.bin -no-emul-boot -boot-load-size 4 -c boot.cat -o rock.iso \
	-graft-points /=tree /boot.bin=kernel 2>/dev/null
pack rock.iso iso9660/rock.iso
mkdir -p deep/1/2/3/4/5/6/7/8/9
echo deep >deep/1/2/3/4/5/6/7/8/9/file.txt
find deep -exec touch -h -d @1600000000 {} +
genisoimage -quiet -R -V MOVED -o moved.iso deep 2>/dev/null
pack moved.iso iso9660/moved.iso
genisoimage -quiet -J -V JOLIET -o joliet.iso -graft-points '/Readme ünicode.txt'=tree/etc/passwd /sub=tree/etc/deep 2>/dev/null
pack joliet.iso iso9660/joliet.iso
genisoimage -quiet -V PLAIN -o plain.iso -graft-points /README.TXT=tree/etc/passwd /etc=tree/etc/deep 2>/dev/null
pack plain.iso iso9660/plain.iso
xorriso -as mkisofs -quiet -R -V EFI -append_partition 2 0xef fat12.img -appended_part_as_gpt -e --interval:appended_partition_2:all:: -no-emul-boot -o efi.iso small 2>/dev/null
pack efi.iso iso9660/efi.iso
