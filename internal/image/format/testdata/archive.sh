#!/bin/sh
# Makes the samples of the archive formats. Needs to be root (devices, owners) and: tar,
# bsdtar, busybox, cpio, ar, dpkg-deb, rpmbuild, zip, 7z, setfattr, python3, and the
# compressors.
set -eu
cd "$(dirname "$0")"
here=$(pwd)
mkdir -p tar tar-v7 cpio cpio-old ar rpm zip
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
# zip: Unix modes and links, each method, streamed, in front of and behind something else
seq -f 'line %g of a text that compresses well' 1 60 >text
touch -d @1700000000 text
export TZ=UTC
(cd tree && zip -q -X -r -y ../plain.zip etc su empty && zip -q -r -y ../extra.zip su)
cp plain.zip extra.zip "$here/zip/"
for m in BZip2 LZMA Deflate64 Copy; do 7z a -tzip -mm=$m -mtc=off "$here/zip/$m.zip" text >/dev/null; done
7z a -tzip -pinfusion -mtc=off "$here/zip/encrypted.zip" text >/dev/null
7z a -tzip -pinfusion -mem=AES256 -mtc=off "$here/zip/aes.zip" text >/dev/null
python3 - <<'PY'
import zipfile
class Pipe:
    def __init__(self, name):
        self.f = open(name, 'wb')
    def write(self, p):
        return self.f.write(p)
    def flush(self):
        self.f.flush()
with zipfile.ZipFile(Pipe('streamed.zip'), 'w', zipfile.ZIP_DEFLATED) as z:
    for name in 'text', 'more':
        i = zipfile.ZipInfo(name, (2023, 11, 14, 22, 13, 20))
        i.external_attr, i.compress_type = 0o100600 << 16, zipfile.ZIP_DEFLATED
        z.writestr(i, open('text', 'rb').read())
PY
cat streamed.zip >"$here/zip/streamed.zip"
(cat streamed.zip; printf 'bytes behind the archive') >"$here/zip/streamed-and-tail.zip"
(printf 'a program that unpacks itself'; cat plain.zip) >"$here/zip/prefix.zip"
(printf 'a program that unpacks itself'; cat plain.zip) >adjusted.zip
zip -q -A adjusted.zip >/dev/null 2>&1 || true
cp adjusted.zip "$here/zip/adjusted.zip"
(cat plain.zip; printf 'between'; cat streamed.zip; printf 'behind') >"$here/zip/two.zip"
head -c 700 plain.zip >"$here/zip/cut.zip"
head -c 400 streamed.zip >"$here/zip/streamed-cut.zip"
python3 - "$here" <<'PY'
import lzma, struct, subprocess, sys, zipfile, zlib
here = sys.argv[1]
text = open('text', 'rb').read()
def info(name, **kw):
    i = zipfile.ZipInfo(name, (2023, 11, 14, 22, 13, 20))
    i.external_attr = 0o100640 << 16
    for k, v in kw.items():
        setattr(i, k, v)
    return i
with zipfile.ZipFile(here + '/zip/zip64.zip', 'w', zipfile.ZIP_DEFLATED) as z:
    with z.open(info('large', compress_type=zipfile.ZIP_DEFLATED), 'w', force_zip64=True) as f:
        f.write(text)
data = open(here + '/zip/zip64.zip', 'rb').read()
end = data.rindex(b'PK\5\6')
n, size, off = struct.unpack('<HII', data[end + 10:end + 20])
rec = b'PK\6\6' + struct.pack('<QHHIIQQQQ', 44, 45, 45, 0, 0, n, n, size, off)
loc = b'PK\6\7' + struct.pack('<IQI', 0, end, 1)
open(here + '/zip/zip64.zip', 'wb').write(data[:end] + rec + loc + data[end:end + 8] + b'\xff' * 12 + data[end + 20:])
with zipfile.ZipFile(here + '/zip/evil.zip', 'w') as z:
    z.writestr(info('../../etc/shadow'), b'root::\n')
    z.writestr(info('loop', external_attr=0o120777 << 16), b'loop')
    z.writestr(info('C:\\dos\\name.txt', create_system=0), b'dos\n')
    z.writestr(info('twice'), b'first\n')
    z.writestr(info('twice'), b'second\n')
    z.writestr(info('stored'), b'checksum is not compared\n')
    z.writestr(info('bad', compress_type=zipfile.ZIP_DEFLATED), text)
data = bytearray(open(here + '/zip/evil.zip', 'rb').read())
at = data.rindex(b'PK\1\2')
data[at + 16] ^= 1
open(here + '/zip/evil.zip', 'wb').write(data)
# entries that share one deflate stream
packed = zlib.compressobj(9, zlib.DEFLATED, -15)
body = packed.compress(bytes(1 << 20)) + packed.flush()
crc = zlib.crc32(bytes(1 << 20))
local = b'PK\3\4' + struct.pack('<HHHHHIIIHH', 20, 0, 8, 0, 0, crc, len(body), 1 << 20, 1, 0) + b'a' + body
central = b''
for i in range(30):
    central += b'PK\1\2' + struct.pack('<HHHHHHIIIHHHHHII', 20, 20, 0, 8, 0, 0, crc, len(body), 1 << 20, 3, 0, 0, 0, 0, 0, 0) + b'a%02d' % i
open(here + '/zip/overlap.zip', 'wb').write(local + central + b'PK\5\6' + struct.pack('<HHHHIIH', 0, 0, 30, 30, len(central), len(local), 0))
def one(method, body):
    h = struct.pack('<HHHHHIIIHH', 63, 0, method, 0x86af, 0x576e, zlib.crc32(text), len(body), len(text), 4, 0)
    local = b'PK\3\4' + h + b'text' + body
    central = b'PK\1\2' + struct.pack('<H', 0x33f) + h + struct.pack('<HHHII', 0, 0, 0, 0o100644 << 16, 0) + b'text'
    return local + central + b'PK\5\6' + struct.pack('<HHHHIIH', 0, 0, 1, 1, len(central), len(local), 0)
open(here + '/zip/xz.zip', 'wb').write(one(95, lzma.compress(text)))
open(here + '/zip/zstd.zip', 'wb').write(one(93, subprocess.run(['zstd', '-q'], input=text, capture_output=True).stdout))
open(here + '/zip/empty.zip', 'wb').write(b'PK\5\6' + bytes(18))
PY
# an archive that holds itself would be opened for ever; this one holds archives eight deep
cp text deep.txt
zip -q -X deep.zip deep.txt
for i in 1 2 3 4 5 6 7; do mv deep.zip inner.zip; zip -q -X deep.zip inner.zip; done
cp deep.zip "$here/zip/deep.zip"
