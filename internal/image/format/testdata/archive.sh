#!/bin/sh
# Makes the samples of the archive formats. Needs to be root (devices, owners) and: tar,
# bsdtar, busybox, cpio, ar, dpkg-deb, rpmbuild, zip, 7z, setfattr, python3, and the
# compressors.
set -eu
cd "$(dirname "$0")"
here=$(pwd)
mkdir -p tar tar-v7 cpio cpio-old ar rpm
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
long=a-directory-whose-name-is-quite-long-so-that-the-path-does-not-fit-into-the-field-of-the-header
mkdir -p tree/etc tree/dev "tree/$long/$long/$long"
echo 'root:x:0:0::/:/bin/sh' >tree/etc/passwd
ln tree/etc/passwd tree/etc/passwd-
ln -s passwd tree/etc/link
ln -s "/$long/$long/$long/file-$long" tree/etc/long-link
echo 'far down' >"tree/$long/$long/$long/file-$long"
printf '' >tree/empty
echo setuid >tree/su

chown 1000:33 tree/su
chmod 4755 tree/su
mknod tree/dev/console c 5 1
mknod tree/dev/sda b 8 0
mkfifo tree/dev/pipe
printf 'h\303\251' >"$(printf 'tree/caf\303\251')"
setfattr -n user.note -v 'of a file' tree/su
find tree -exec touch -h -d @1700000000 {} +
list() { (cd "$tmp/tree" && find . | LC_ALL=C sort); }
rm -f tree/etc/passwd- && ln tree/etc/passwd tree/etc/passwd-
touch -d @1700000000 tree/etc
for form in v7 ustar gnu oldgnu pax; do
	args="--format=$form --sort=name -b1 --numeric-owner"
	out="$here/tar/$form.tar"
	[ $form = v7 ] && out="$here/tar-v7/v7.tar" && args="$args --exclude=console --exclude=sda --exclude=pipe --exclude=$long --exclude=long-link"
	[ $form = ustar ] && args="$args --exclude=./$long/$long --exclude=long-link"
	[ $form = pax ] && args="$args --xattrs --pax-option=delete=atime,delete=ctime"
	tar -C tree $args -cf "$out" .
done
bsdtar --format=pax --xattrs -C tree -cf "$here/tar/bsd.tar" su etc
# sparse files in each of the forms
truncate -s 1M sparse
printf 'middle' | dd of=sparse bs=1 seek=500000 conv=notrunc status=none
for i in 0 1 2 3 4 5 6; do printf 'piece' | dd of=sparse bs=4096 seek=$((i * 3 + 1)) conv=notrunc status=none; done
printf 'end' | dd of=sparse bs=1 seek=1048573 conv=notrunc status=none
touch -d @1700000000 sparse
tar --format=gnu -b1 -S -cf "$here/tar/sparse-gnu.tar" sparse
for v in 0.0 0.1 1.0; do
	tar --format=pax -b1 -S --sparse-version=$v --pax-option=delete=atime,delete=ctime -cf "$here/tar/sparse-$v.tar" sparse
done
gzip -9n <"$here/tar/sparse-1.0.tar" >/dev/null
for f in gnu 0.0 0.1 1.0; do gzip -9n "$here/tar/sparse-$f.tar" && mv "$here/tar/sparse-$f.tar.gz" "$here/tar/sparse-$f.tar.packed"; done
# a label, a record of the usual size, and what is no part of the archive
(tar --format=gnu -V 'A label' -C tree -cf - su etc/passwd; printf 'bytes behind the archive') | gzip -9n >"$here/tar-v7/label-and-tail.tar.packed"
# one header damaged, the end cut off
python3 - "$here" <<'PY'
import sys
here = sys.argv[1]
data = bytearray(open(here + '/tar/gnu.tar', 'rb').read())
at = data.index(b'./etc/passwd\0')
data[at + 2] ^= 1
open(here + '/tar/damaged.tar', 'wb').write(data)
open(here + '/tar/cut.tar', 'wb').write(open(here + '/tar/ustar.tar', 'rb').read()[:3400])
PY
# names that lead out of the archive, links to nowhere and to themselves, numbers that lie
python3 - "$here" <<'PY'
import io, sys, tarfile
here = sys.argv[1]
def add(t, name, data=b'', **kw):
    i = tarfile.TarInfo(name)
    i.size, i.mtime = len(data), 1700000000
    for k, v in kw.items():
        setattr(i, k, v)
    t.addfile(i, io.BytesIO(data))
with tarfile.open(here + '/tar/evil.tar', 'w', format=tarfile.GNU_FORMAT, bufsize=512) as t:
    add(t, '../../etc/shadow', b'root::0:0:::::\n')
    add(t, '/abs//./a/../b', b'absolute\n')
    add(t, 'loop', type=tarfile.SYMTYPE, linkname='loop')
    add(t, 'up', type=tarfile.SYMTYPE, linkname='../../../..')
    add(t, 'hard', type=tarfile.LNKTYPE, linkname='hard')
    add(t, 'nowhere', type=tarfile.LNKTYPE, linkname='/etc/missing')
    add(t, 'twice', b'first\n')
    add(t, 'linked', type=tarfile.LNKTYPE, linkname='twice')
    add(t, 'twice', b'second\n')
    add(t, 'strange', b'of an unknown type\n', type=b'Z')
    add(t, 'huge', type=tarfile.REGTYPE)
data = bytearray(open(here + '/tar/evil.tar', 'rb').read())
at = data.index(b'huge\0')
data[at + 124:at + 136] = b'\x80' + b'\0' * 4 + b'\x7f' * 7
data[at + 148:at + 156] = b' ' * 8
data[at + 148:at + 156] = b'%06o\0 ' % sum(data[at:at + 512])
open(here + '/tar/evil.tar', 'wb').write(data)
PY
# cpio
touch -d @1700000000 tree/etc/passwd tree/etc/passwd-
for form in newc crc odc; do
	(cd tree && list | cpio --quiet -o -H $form -R +0:+0 --reproducible) >"$here/cpio/$form.cpio" 2>/dev/null
done
(cd tree && list | cpio --quiet -o -H bin --reproducible) >"$here/cpio-old/little.cpio" 2>/dev/null
(cd tree && list | cpio --quiet -o -H bin --reproducible --swap-halfwords) >/dev/null 2>&1 || true
python3 - "$here" <<'PY'
import struct, sys
here = sys.argv[1]
# the same archive as a big-endian machine writes it
data = open(here + '/cpio-old/little.cpio', 'rb').read()
out, at = b'', 0
while True:
    h = struct.unpack('<13H', data[at:at + 26])
    out += struct.pack('>13H', *h)
    name, size = h[10] + h[10] % 2, (h[11] << 16) + h[12]
    size += size % 2
    out += data[at + 26:at + 26 + name + size]
    end = data[at + 26:at + 26 + h[10] - 1] == b'TRAILER!!!'
    at += 26 + name + size
    if end:
        break
open(here + '/cpio-old/big.cpio', 'wb').write(out)
newc = open(here + '/cpio/newc.cpio', 'rb').read()
at = newc.index(b'etc/link\0')
damaged = bytearray(newc)
damaged[at - 108] = ord('x')
open(here + '/cpio/damaged.cpio', 'wb').write(damaged)
open(here + '/cpio/cut.cpio', 'wb').write(newc[:1500])
def entry(name, data=b'', mode=0o100644, ino=1, links=1):
    h = b'070701' + b''.join(b'%08X' % n for n in (ino, mode, 0, 0, links, 1700000000, len(data), 0, 0, 0, 0, len(name) + 1, 0))
    h += name + b'\0'
    h += b'\0' * (-len(h) % 4)
    return h + data + b'\0' * (-len(data) % 4)
open(here + '/cpio/evil.cpio', 'wb').write(
    entry(b'../../etc/shadow', b'root::\n') + entry(b'loop', b'loop', 0o120777, 2) +
    entry(b'one', b'', 0o100644, 3, 3) + entry(b'two', b'of three\n', 0o100644, 3, 3) + entry(b'three', b'', 0o100644, 3, 3) +
    entry(b'mine', b'one content\n', 0o100644, 4, 2) + entry(b'other', b'another content\n', 0o100644, 4, 2) + entry(b'TRAILER!!!'))
PY
# as in an initial file system: two archives with zeros between them, then a third that is compressed
(cd tree && printf 'su\n' | cpio --quiet -o -H newc -R +0:+0 --reproducible >"$tmp/one.cpio"
printf 'etc/link\n' | cpio --quiet -o -H newc -R +0:+0 --reproducible >"$tmp/two.cpio"
printf 'etc/passwd\n' | cpio --quiet -o -H newc -R +0:+0 --reproducible | gzip -9n >"$tmp/three.gz") 2>/dev/null
cat one.cpio two.cpio three.gz >"$here/cpio/initrd.img"
# ar: GNU and BSD names, a package, an opkg package
mkdir -p pkg/DEBIAN pkg/usr/bin
printf 'Package: pump\nVersion: 1.2-3\nArchitecture: armhf\nMaintainer: nobody <nobody@example.org>\nDescription: a pump\n' >pkg/DEBIAN/control
printf '#!/bin/sh\necho pump\n' >pkg/usr/bin/pump
chmod 755 pkg/usr/bin/pump
find pkg -exec touch -d @1700000000 {} +
SOURCE_DATE_EPOCH=1700000000 dpkg-deb --root-owner-group -Zxz -b pkg "$here/ar/pump.deb" >/dev/null
SOURCE_DATE_EPOCH=1700000000 dpkg-deb --root-owner-group -Zzstd -b pkg "$here/ar/zstd.deb" >/dev/null
mkdir ipk
tar -C pkg/DEBIAN --owner=0 --group=0 -czf ipk/control.tar.gz ./control
tar -C pkg --owner=0 --group=0 --exclude=DEBIAN -czf ipk/data.tar.gz ./usr
echo 2.0 >ipk/debian-binary
find ipk -exec touch -d @1700000000 {} +
(cd ipk && tar --owner=0 --group=0 -cf - ./debian-binary ./control.tar.gz ./data.tar.gz | gzip -9n >"$here/gzip/opkg.ipk")
printf 'first' >a-name-that-is-longer-than-the-field.o
printf 'second' >short.o
touch -d @1700000000 ./*.o
ar rcD "$here/ar/gnu.a" a-name-that-is-longer-than-the-field.o short.o 2>/dev/null
bsdtar --format=arbsd -cf "$here/ar/bsd.a" a-name-that-is-longer-than-the-field.o short.o
head -c 150 "$here/ar/gnu.a" >"$here/ar/cut.a"
# rpm
cat >pump.spec <<'SPEC'
Name: pump
Version: 1.2
Release: 3
Summary: a pump
License: MIT
Vendor: Example
BuildArch: noarch
%description
A pump.
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/etc
printf '#!/bin/sh\necho pump\n' >%{buildroot}/usr/bin/pump
ln -s ../usr/bin/pump %{buildroot}/etc/pump
%files
%attr(755,root,root) /usr/bin/pump
/etc/pump
SPEC
for z in w9.gzdio w6.xzdio w19.zstdio w9.bzdio w6.lzdio; do
	SOURCE_DATE_EPOCH=1700000000 rpmbuild -bb --quiet --define "_topdir $tmp/rpm" --define "_binary_payload $z" \
		--define 'use_source_date_epoch_as_buildtime 1' --define '_buildhost localhost' --define 'clamp_mtime_to_source_date_epoch 1' pump.spec >/dev/null 2>&1
	cp rpm/RPMS/noarch/pump-1.2-3.noarch.rpm "$here/rpm/${z#*.}.rpm"
done
(cat "$here/rpm/gzdio.rpm"; printf 'bytes behind the package') >"$here/rpm/tail.rpm"
head -c 3000 "$here/rpm/xzdio.rpm" >"$here/rpm/bad-cut.rpm"
