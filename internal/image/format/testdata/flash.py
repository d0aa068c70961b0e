#!/usr/bin/env python3
"""Changes images that real tools wrote into what use, age and accidents make of them.

flash.sh calls it: flash.py KIND FILE. Checksums are made right again where the change
stands for a later writing, and left wrong where it stands for damage.
"""
import lzma
import struct
import sys
import zlib


def ubi_sum(b):
    return zlib.crc32(b) ^ 0xFFFFFFFF


def write(name, b):
    with open(name, "wb") as f:
        f.write(b)


# --- UBIFS -----------------------------------------------------------------------------

LEB = 15872


def nodes(b, lnum):
    """Yields offset, type, length of the nodes of a block."""
    at = lnum * LEB
    while at < (lnum + 1) * LEB:
        if b[at : at + 4] != b"\x31\x18\x10\x06":
            return
        n = struct.unpack_from("<I", b, at + 16)[0]
        yield at, b[at + 20], n
        at += (n + 7) & ~7


def node(kind, sqnum, body):
    b = struct.pack("<QIBBH", sqnum, 24 + len(body), kind, 0, 0) + body
    return struct.pack("<II", 0x06101831, ubi_sum(b)) + b


def key(inum, kind, low=0):
    return struct.pack("<II8x", inum, kind << 29 | low)


def entry(parent, inum, kind, name):
    # The hash of the name is not looked at by readers that go by the name.
    return key(parent, 2, 5) + struct.pack("<QBBHI", inum, 0, kind, len(name), 0) + name + b"\0"


def xattr(inum, value, name):
    return key(inum, 3, 5) + struct.pack("<QBBHI", value, 0, 0, len(name), 0) + name + b"\0"


def inode(inum, size, links, mode, data=b""):
    return (
        key(inum, 0)
        + struct.pack("<QQQQQIIIIIIIIIIIIIH26x", 99, size, 1650000000, 1650000000, 1650000000, 0, 0, 0, links, 7, 8, mode, 1, len(data), 0, 0, 0, 0, 0)
        + data
    )


def data(inum, block, content):
    return key(inum, 1, block) + struct.pack("<IHH", len(content), 0, 0) + content


def find(b, name):
    """Returns parent and number of an entry."""
    at = b.index(name + b"\0", 0)
    return struct.unpack_from("<I", b, at - 32)[0], struct.unpack_from("<Q", b, at - 16)[0]


def ubifs(path):
    img = open(path, "rb").read()
    lebs = len(img) // LEB
    master = max((struct.unpack_from("<Q", img, at + 8)[0], at) for lnum in (1, 2) for at, kind, n in nodes(img, lnum) if kind == 7)[1]
    root = struct.unpack_from("<III", img, master + 48)

    # The journal: a file that is new, one deleted, one longer, one cut off, one renamed.
    b = bytearray(img + b"\xff" * LEB)
    etc = find(img, b"passwd")[0]
    _, tool = find(img, b"tool")
    bin_, _ = find(img, b"tool")
    _, long_ = find(img, b"long.txt")
    number = [2000]

    def put(kind, body):
        number[0] += 1
        n = node(kind, number[0], body)
        return n + b"\xff" * 0, len(n)

    bud = b""
    for kind, body in (
        (2, entry(etc, 900, 0, b"new.conf")),
        (0, inode(900, 4100, 1, 0o100600)),
        (1, data(900, 0, b"n" * 4096)),
        (1, data(900, 1, b"tail")),
        (2, entry(bin_, 0, 0, b"link")),
        (4, struct.pack("<I12xQQ", long_, 15000, 6000)),
        (1, data(long_, 1, b"L" * (6000 - 4096))),
        (0, inode(long_, 6000, 1, 0o100644)),
        (2, entry(etc, 0, 0, b"passwd-")),
        (2, entry(bin_, tool, 0, b"renamed")),
        (2, entry(bin_, 0, 0, b"tool")),
        (3, xattr(900, 901, b"security.capability")),
        (0, inode(901, 20, 1, 0o100644, bytes.fromhex("0100000200040000000000000000000000000000"))),
        (3, xattr(900, 902, b"user.gone")),
        (0, inode(902, 4, 1, 0o100644, b"gone")),
        (3, xattr(900, 0, b"user.gone")),
        (0, inode(902, 0, 0, 0o100644)),
    ):
        n, size = put(kind, body)
        bud += n + b"\0" * (-size % 8)
    b[lebs * LEB : lebs * LEB + len(bud)] = bud
    log = 3 * LEB
    end = max(at + ((n + 511) & ~511) for at, kind, n in nodes(img, 3))
    ref = node(8, 1999, struct.pack("<III28x", lebs, 0, 1))
    b[end : end + len(ref)] = ref
    # One block more.
    sb = bytearray(b[:4096])
    struct.pack_into("<I", sb, 40, lebs + 1)
    struct.pack_into("<I", sb, 4, ubi_sum(sb[8:]))
    b[:4096] = sb
    write("ubifs-journal.img", b)

    b = bytearray(img)
    b[root[0] * LEB + root[1] + 30] ^= 0xFF
    write("ubifs-index.img", b)

    b = bytearray(img)
    b[100] ^= 0xFF
    write("ubifs-super.img", b)

    b = bytearray(img)
    for lnum in range(10, lebs):
        for at, kind, n in nodes(img, lnum):
            if kind == 1 and struct.unpack_from("<I", img, at + 24)[0] == long_ and struct.unpack_from("<I", img, at + 28)[0] & 0xFFFF == 2:
                b[at + 60] ^= 0xFF
    write("ubifs-data.img", b)

    b = bytearray(img)
    b[log : log + LEB] = b"\xff" * LEB
    write("ubifs-nolog.img", b)


# --- UBI -------------------------------------------------------------------------------

PEB = 16384


def volume_header(block):
    vid = struct.unpack_from(">I", block, 16)[0]
    return vid, vid + 64


def resum(block):
    vid, end = volume_header(block)
    struct.pack_into(">I", block, vid + 60, ubi_sum(block[vid : vid + 60]))
    return block


def ubi(path):
    img = open(path, "rb").read()
    blocks = [bytearray(img[i : i + PEB]) for i in range(0, len(img), PEB)]
    ec = blocks[0][:64]
    erased = bytearray(ec + b"\xff" * (PEB - 64))
    vid = volume_header(blocks[2])[0]

    # As wear levelling leaves it: out of order, an older copy of a block, an interrupted
    # copy, a bad block, erased ones, an unmapped one.
    old = bytearray(blocks[6])
    old[2048:2060] = b"older bytes "
    for i, b in enumerate(blocks):
        struct.pack_into(">Q", b, vid + 40, 100 + i)
        resum(b)
    struct.pack_into(">Q", old, vid + 40, 3)
    half = bytearray(blocks[7])
    struct.pack_into(">Q", half, vid + 40, 5000)
    half[vid + 6] = 1
    struct.pack_into(">I", half, vid + 20, 4096)
    struct.pack_into(">I", half, vid + 32, 0x12345678)
    bad = bytearray(b"\0" * PEB)
    last = blocks.pop()
    order = [blocks[1], bytearray(b"\xff" * PEB), erased, resum(old), blocks[0], last, bad, resum(half)] + blocks[:1:-1]
    shuffled = b"".join(order)
    write("shuffled.ubi", shuffled + b"\xff" * PEB + b"behind the image" * 8)

    # Both copies of the table are damaged in one row.
    b = bytearray(img)
    data_offset = struct.unpack_from(">I", img, 20)[0]
    for i in (0, 1):
        b[i * PEB + data_offset + 20] ^= 0xFF
    write("table.ubi", b)

    write("two.ubi", img[: 6 * PEB] + img[: 7 * PEB])
    write("cut.ubi", img[: len(img) - PEB - 9000])

    write("missing.ubi", img[: 2 * PEB] + img[3 * PEB : 5 * PEB] + b"\xff" * PEB + img[6 * PEB :])

    pages = [img[i : i + 512] + b"\xff" * 16 for i in range(0, len(img), 512)]
    write("spare.ubi", b"".join(pages))


# --- JFFS2 -----------------------------------------------------------------------------


def linux_crc(b):
    """CRC-32 without the first and the last inversion."""
    return zlib.crc32(b, 0xFFFFFFFF) ^ 0xFFFFFFFF


def jffs2_node(kind, body):
    head = struct.pack("<HHI", 0x1985, kind, 12 + len(body))
    b = head + struct.pack("<I", linux_crc(head)) + body
    return b + b"\xff" * (-len(b) % 4)


def jffs2_dirent(parent, version, ino, kind, name):
    b = struct.pack("<IIIIBBxx", parent, version, ino, 1650000000, len(name), kind)
    head = struct.pack("<HHI", 0x1985, 0xE001, 40 + len(name))
    head += struct.pack("<I", linux_crc(head))
    return jffs2_node(0xE001, b + struct.pack("<II", linux_crc(head + b), linux_crc(name)) + name)


def jffs2_inode(ino, version, mode, size, offset, plain, packed, codec=0, bad=False):
    b = struct.pack("<IIIHHIIIIIIIBBH", ino, version, mode, 7, 8, size, 1650000000, 1650000000, 1650000000, offset, len(packed), plain, codec, codec, 0)
    head = struct.pack("<HHI", 0x1985, 0xE002, 68 + len(packed))
    head += struct.pack("<I", linux_crc(head))
    sum_ = linux_crc(packed) ^ (1 if bad else 0)
    return jffs2_node(0xE002, b + struct.pack("<II", sum_, linux_crc(head + b)) + packed)


def jffs2_nodes(img):
    at = 0
    while at + 12 <= len(img):
        magic, kind, n = struct.unpack_from("<HHI", img, at)
        if magic != 0x1985:
            at += 4
            continue
        yield at, kind, n
        at += (n + 3) & ~3


def jffs2(path):
    img = open(path, "rb").read()
    names = {}
    for at, kind, n in jffs2_nodes(img):
        if kind == 0xE001:
            parent, version, ino = struct.unpack_from("<III", img, at + 12)
            names[img[at + 40 : at + 40 + img[at + 28]]] = (parent, version, ino)
    etc, _, _ = names[b"passwd"]
    bin_, _, tool = names[b"tool"]
    _, _, long_ = names[b"long.txt"]
    _, _, passwd = names[b"passwd"]

    # In use: overwritten in the middle, cut off and grown again, deleted, renamed, a node
    # that did not get whole, one marked obsolete, a compression nobody reads, garbage.
    new = [
        jffs2_inode(long_, 1000, 0o100644, 15994, 100, 50, b"M" * 50),
        jffs2_inode(long_, 1001, 0o100644, 15994, 120, 10, b"N" * 10),
        jffs2_inode(long_, 1002, 0o100644, 15994, 0, 4, b"bad!", bad=True),
        b"\xff" * 4096,
        jffs2_inode(passwd, 1000, 0o100600, 10, 0, 0, b""),
        jffs2_inode(passwd, 1001, 0o100600, 40, 10, 30, b"", codec=1),
        jffs2_dirent(bin_, 1000, 0, 0, b"link"),
        jffs2_dirent(bin_, 1001, tool, 8, b"renamed"),
        jffs2_dirent(bin_, 1002, 0, 8, b"tool"),
        b"garbage, that is no node: " * 4,
        jffs2_dirent(etc, 1000, 800, 8, b"mips"),
        jffs2_inode(800, 1, 0o100644, 10, 0, 10, b"rubin", codec=3),
        jffs2_dirent(etc, 1001, 801, 8, b"nowhere"),
        jffs2_dirent(etc, 1002, 802, 8, b"../up"),
    ]
    gone = bytearray(jffs2_dirent(etc, 1003, tool, 8, b"obsolete"))
    gone[3] &= ~0x20
    write("jffs2-used.img", img + b"".join(new) + gone + b"\xff" * 8192 + b"not of it " * 9000)

    # OpenWrt's lzma.
    out = b""
    for at, kind, n in jffs2_nodes(img):
        if kind == 0xE002 and img[at + 56] == 6:
            h = struct.unpack_from("<IIIHHIIIIIIIBBH", img, at + 12)
            text = zlib.decompress(img[at + 68 : at + n])
            packed = lzma.compress(text, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "lc": 0, "lp": 0, "pb": 0, "dict_size": 8192}])
            out += jffs2_inode(h[0], h[1], h[2], h[5], h[9], len(text), packed, codec=8)
        else:
            out += img[at : at + ((n + 3) & ~3)]
    write("jffs2-lzma.img", out)

    write("jffs2-bad-old.img", b"\x84\x19" + img[2:512])


# --- cramfs, romfs, YAFFS2 -------------------------------------------------------------


def rom(romfs, cramfs):
    b = bytearray(open(romfs, "rb").read())
    at = b.index(b"long.txt\0") - 16
    b[at + 13] ^= 0xFF  # the checksum of a header
    at = b.index(b"empty\0") - 16
    struct.pack_into(">I", b, at, at | 9)  # a list that leads into itself
    write("romfs-bad.img", b)

    b = bytearray(open(cramfs, "rb").read())
    at = b.index(b"long.txt") - 12
    offset = (struct.unpack_from("<I", b, at + 8)[0] >> 6) * 4
    struct.pack_into("<I", b, offset + 4, 5)  # a page that ends before it begins
    at = b.index(b"tool") - 12
    b[at : at + 2] = b"\0\0"  # no type
    write("cramfs-bad.img", b)


CHUNK = 2048 + 64


def yaffs_tags(seq, obj, chunk, n):
    return struct.pack("<IIII", seq, obj, chunk, n) + b"\xff" * 48


def yaffs_header(kind, parent, name, mode, size, equiv=-1, mtime=1650000000):
    b = struct.pack("<IIH", kind, parent, 0xFFFF) + name.ljust(256, b"\0") + b"\xff\xff"
    b += struct.pack("<IIIIIIii", mode, 7, 8, mtime, mtime, mtime, size, equiv) + b"\0" * 160
    return b.ljust(2048, b"\xff")


def yaffs(path):
    img = open(path, "rb").read()
    found = {}
    for at in range(0, len(img), CHUNK):
        seq, obj, chunk, n = struct.unpack_from("<IIII", img, at + 2048)
        if chunk == 0:
            name = img[at + 10 : at + 266].split(b"\0")[0]
            found[name] = (obj, struct.unpack_from("<I", img, at + 4)[0])
    long_, etc = found[b"long.txt"]
    tool, bin_ = found[b"tool"]
    link, _ = found[b"link"]
    chunks = [
        # Newer: one page written again, one deleted, one renamed, one cut off; the newest
        # block lies first.
        (b"T" * 2048, yaffs_tags(0x3000, long_, 2, 1000)),
        (yaffs_header(1, etc, b"long.txt", 0o100600, 3048), yaffs_tags(0x3000, long_, 0, 0xFFFF)),
        (yaffs_header(2, 4, b"deleted", 0o120777, 0), yaffs_tags(0x3000, link, 0, 0xFFFF)),
        (yaffs_header(1, bin_, b"renamed", 0o104755, 5000), yaffs_tags(0x3000, 1 << 28 | tool, 1 << 31 | bin_, 5000)),
        (b"\xff" * 2048, b"\xff" * 64),
        (b"what is this " * 157 + b"1234567", b"not a tag " * 6 + b"1234"),
    ]
    new = b"".join(p + t for p, t in chunks)
    write("yaffs-used.img", img[:CHUNK] + new + img[CHUNK:] + b"cut off")


if __name__ == "__main__":
    {"ubifs": ubifs, "ubi": ubi, "jffs2": jffs2, "rom": rom, "yaffs": yaffs}[sys.argv[1]](*sys.argv[2:])
