"""Makes tests/golden/gif: GIF pictures and what Pillow shows of their first frame.

    python tools/golden_gif.py tests/golden/gif tests/fuzz/corpus/image

Needs pillow. The hostile ones are written byte by byte."""
import os
import shutil
import struct
import sys

from PIL import Image

OUT, CORPUS = sys.argv[1], sys.argv[2]
W, H = 32, 24
COLOURS = [(200, 40, 30), (30, 180, 60), (40, 60, 190), (120, 120, 120)]
LINES = []


def quarters(colours):
    im = Image.new("RGB", (W, H))
    for k, c in enumerate(colours):
        im.paste(c, (k % 2 * W // 2, k // 2 * H // 2, (k % 2 + 1) * W // 2, (k // 2 + 1) * H // 2))
    return im


def probe(name):
    im = Image.open(f"{OUT}/{name}")
    im.seek(0)
    rgba = im.convert("RGBA")
    for x, y in ((8, 6), (24, 6), (8, 18), (24, 18), (31, 23)):
        r, g, b, a = rgba.getpixel((x, y))
        r, g, b = (r, g, b) if a else (0, 0, 0)  # laid over black
        LINES.append(f"{name} {W} {H} {x} {y} {r} {g} {b} 0")


def block(data):
    return b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255)) + b"\0"


def raw(width, height, frames, table=b"\0\0\0\xff\xff\xff"):
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + table + b"".join(frames) + b";"


def frame(x, y, w, h, codes):
    return b"," + struct.pack("<HHHHB", x, y, w, h, 0) + b"\x02" + block(codes)


os.makedirs(OUT, exist_ok=True)
quarters(COLOURS).save(f"{OUT}/plain.gif", interlace=0)
quarters(COLOURS).save(f"{OUT}/interlaced.gif", interlace=1)
quarters(COLOURS).save(f"{OUT}/commented.gif", comment=b"x" * 2000)
quarters(COLOURS).save(f"{OUT}/animated.gif", save_all=True, append_images=[quarters(COLOURS[::-1])] * 3, loop=0)
hole = quarters(COLOURS).quantize(8)
hole.info["transparency"] = hole.getpixel((24, 6))
hole.save(f"{OUT}/transparent.gif", transparency=hole.getpixel((24, 6)))
for name in ("plain.gif", "interlaced.gif", "commented.gif", "animated.gif", "transparent.gif"):
    probe(name)

# one pixel: clear, colour 1, end
PIXEL = bytes([0b01_001_100, 0b1])
open(f"{OUT}/no_frame.gif", "wb").write(raw(W, H, []))
open(f"{OUT}/huge.gif", "wb").write(raw(60000, 60000, [frame(0, 0, 1, 1, PIXEL)]))
open(f"{OUT}/huge_frame.gif", "wb").write(raw(1, 1, [frame(0, 0, 65535, 65535, PIXEL)]))
open(f"{OUT}/short_codes.gif", "wb").write(raw(W, H, [frame(0, 0, W, H, PIXEL)]))
open(f"{OUT}/no_blocks.gif", "wb").write(raw(W, H, [b"\x7f" * 20]))
many = quarters(COLOURS)
many.save(f"{OUT}/plain_many.tmp", format="GIF")
data = open(f"{OUT}/plain_many.tmp", "rb").read()
os.remove(f"{OUT}/plain_many.tmp")
# a frame, then 400 of one pixel, which nobody needs to look at
open(f"{OUT}/many.gif", "wb").write(data[:-1] + frame(0, 0, 1, 1, PIXEL) * 400 + b";")
probe("many.gif")
with open(f"{OUT}/probes.txt", "w") as f:
    f.write("# file width height x y r g b tolerance\n" + "\n".join(LINES) + "\n")
for name in ("plain.gif", "interlaced.gif", "transparent.gif", "no_frame.gif", "huge.gif", "huge_frame.gif", "short_codes.gif"):
    shutil.copy(f"{OUT}/{name}", f"{CORPUS}/{name}")
for name in ("plain.gif", "animated.gif"):
    data = open(f"{OUT}/{name}", "rb").read()
    open(f"{CORPUS}/cut_{name}", "wb").write(data[:len(data) * 2 // 3])
