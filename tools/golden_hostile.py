"""Makes tests/golden/hostile: small pictures with odd or malicious structure, and what Pillow shows of them.

    python tools/golden_hostile.py tests/golden/hostile tests/fuzz/corpus/image

Needs numpy and pillow."""
import io
import struct
import sys
import zlib

import numpy as np
from PIL import Image

OUT, CORPUS = sys.argv[1], sys.argv[2]
W, H = 32, 24


def quadrants():
    a = np.zeros((H, W, 3), np.uint8)
    a[:H // 2, :W // 2] = 200, 40, 30
    a[:H // 2, W // 2:] = 30, 180, 60
    a[H // 2:, :W // 2] = 40, 60, 190
    a[H // 2:, W // 2:] = 120, 120, 120
    return a


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(w, h, depth, colour, rows, extra=b""):
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, 0))
            + extra + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def encoded(image, kind, **args):
    b = io.BytesIO()
    image.save(b, kind, **args)
    return b.getvalue()


def ifd(entries, following):
    body = b"".join(struct.pack("<HHII", *e) for e in entries)
    return struct.pack("<H", len(entries)) + body + struct.pack("<I", following)


def with_exif(jpeg, tiff):
    app = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(app) + 2) + app + jpeg[2:]


def main():
    q = quadrants()
    im, other = Image.fromarray(q), Image.fromarray(255 - q)
    jpeg = encoded(im, "JPEG", quality=95, subsampling=0)
    head = b"II*\0" + struct.pack("<I", 8)
    files = {}
    # Every page of an animation but the first is ignored.
    files["animated.webp"] = encoded(im, "WEBP", save_all=True, append_images=[other, other], duration=80,
                                     lossless=True)
    # The directory is its own successor and its own EXIF directory. The orientation in it is valid.
    turned = encoded(im.transpose(Image.ROTATE_90), "JPEG", quality=95, subsampling=0)
    files["exif_loop.jpg"] = with_exif(turned, head + ifd([(0x112, 3, 1, 6), (0x8769, 4, 1, 8)], 8))
    # Counts and offsets far outside; no orientation can be read.
    files["exif_wild.jpg"] = with_exif(jpeg, head + ifd([(0x112, 3, 0x40000000, 0xFFFFFFF0),
                                                         (0x8769, 4, 1, 0xFFFFFFF0)], 0x7FFFFFF0))
    files["exif_unknown.jpg"] = with_exif(jpeg, head + ifd([(0x112, 3, 1, 77)], 0))
    tiff = bytearray(encoded(im, "TIFF"))
    at = struct.unpack("<I", tiff[4:8])[0]
    count = struct.unpack("<H", tiff[at:at + 2])[0]
    tiff[at + 2 + 12 * count:at + 6 + 12 * count] = struct.pack("<I", at)
    files["loop.tif"] = bytes(tiff)
    # 12 MB of zeros in a comment and in a profile of a few kB of file; Pillow refuses these.
    rows = b"".join(b"\0" + q[y].tobytes() for y in range(H))
    zeros = zlib.compress(bytes(12_000_000), 9)
    files["comment_bomb.png"] = png(W, H, 8, 2, rows, chunk(b"zTXt", b"Comment\0\0" + zeros))
    files["profile_bomb.png"] = png(W, H, 8, 2, rows, chunk(b"iCCP", b"x\0\0" + zeros))
    probes = ["# file width height x y r g b tolerance"]
    for name, data in files.items():
        tolerance = 6 if name.endswith(".jpg") else 0
        for x, y in ((8, 6), (24, 6), (8, 18), (24, 18)):
            probes.append(f"{name} {W} {H} {x} {y} {' '.join(str(int(v)) for v in q[y, x])} {tolerance}")
        if not name.endswith("bomb.png"):
            shown = Image.open(io.BytesIO(data))
            shown = shown.transpose(Image.ROTATE_270) if name == "exif_loop.jpg" else shown
            assert abs(np.array(shown.convert("RGB")).astype(int) - q).max() <= 16
    # Refused: what is named in tests/unit/photo/test_image_hostile.c.
    files["no_width.png"] = png(0, 4, 8, 2, b"")
    files["claims_196_million.png"] = png(14000, 14000, 8, 2, b"")
    files["narrow.png"] = png(40000, 1, 8, 0, bytes(40001))
    files["float.tif"] = encoded(Image.fromarray(q[..., 0].astype(np.float32)), "TIFF")
    open(f"{OUT}/probes.txt", "w").write("\n".join(probes) + "\n")
    for name, data in files.items():
        open(f"{OUT}/{name}", "wb").write(data)
        if len(data) < 20000 and name != "claims_196_million.png":
            open(f"{CORPUS}/{name}", "wb").write(data)


main()
