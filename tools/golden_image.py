"""Makes tests/golden/image: what Pillow, LittleCMS and transformers make of small pictures.

    python tools/golden_image.py tests/golden/image tests/fuzz/corpus/image

Needs numpy, pillow and transformers (its PIL image processor of mllama). The pictures of mllama.txt
and resize.txt are not stored: pattern() is repeated in the C tests."""
import io
import os
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageCms
from transformers.models.mllama import image_processing_pil_mllama as mllama

from golden_pattern import MEAN, STD, fnv, pattern

OUT, CORPUS = sys.argv[1], sys.argv[2]


def goldens_mllama():
    sizes = [(1, 1), (224, 220), (56, 56), (57, 56), (640, 480), (480, 640), (128, 72), (192, 108),
             (300, 50), (50, 300), (241, 56), (403, 302), (1000, 3), (3, 1000), (168, 56), (200, 60),
             (55, 55), (112, 112), (113, 112), (56, 112), (56, 168), (56, 224), (224, 56), (28, 28),
             (2, 1), (1, 2), (7, 5), (61, 59), (100, 100), (99, 101), (150, 40), (40, 150),
             (512, 512), (333, 111), (111, 333), (75, 74), (160, 120), (223, 56), (225, 56), (17, 400),
             (85, 170), (170, 85)]
    lines = ["# width height tile  high wide id resized_w resized_h  fnv1a(pixel_values) mask"]
    for tile in (56, 32):
        p = mllama.MllamaImageProcessorPil(size={"height": tile, "width": tile}, image_mean=MEAN, image_std=STD)
        for w, h in sizes[:42 if tile == 56 else 12]:
            im = Image.fromarray(pattern(w, h, 3))
            out = p(im, return_tensors="np")
            hh, ww = mllama.get_optimal_tiled_canvas(h, w, 4, tile)
            rh, rw = mllama.get_image_size_fit_to_canvas(h, w, hh, ww, tile)
            v = np.ascontiguousarray(out["pixel_values"][0, 0], dtype=np.float32)
            mask = "".join(str(int(m)) for m in out["aspect_ratio_mask"][0, 0])
            lines.append(f"{w} {h} {tile} {hh // tile} {ww // tile} {out['aspect_ratio_ids'][0, 0]} "
                         f"{rw} {rh} {fnv(v.tobytes()):016x} {mask}")
    open(f"{OUT}/mllama.txt", "w").write("\n".join(lines) + "\n")
    lines = ["# width height tile  high wide id resized_w resized_h"]
    for tile in (560, 448, 56):
        for w, h in [(1, 1), (224, 220), (560, 560), (561, 560), (640, 480), (480, 640), (800, 600),
                     (1280, 720), (1920, 1080), (3000, 500), (500, 3000), (2241, 560), (4032, 3024),
                     (10000, 10), (168, 56), (200, 60), (4288, 2848), (999, 960), (50000, 1)]:
            hh, ww = mllama.get_optimal_tiled_canvas(h, w, 4, tile)
            rh, rw = mllama.get_image_size_fit_to_canvas(h, w, hh, ww, tile)
            ids = mllama.convert_aspect_ratios_to_ids_np([[(hh // tile, ww // tile)]], 4)
            lines.append(f"{w} {h} {tile} {hh // tile} {ww // tile} {int(np.array(ids).ravel()[0])} {rw} {rh}")
    open(f"{OUT}/layout.txt", "w").write("\n".join(lines) + "\n")


def goldens_resize():
    lines = ["# src_w src_h channels dst_w dst_h  fnv1a(pixels)"]
    for w, h, c, dw, dh in [(50, 40, 3, 20, 16), (50, 40, 3, 50, 16), (50, 40, 3, 20, 40),
                            (50, 40, 3, 50, 40), (13, 7, 3, 64, 64), (1, 1, 3, 9, 5), (200, 3, 3, 1, 1),
                            (200, 150, 1, 64, 48), (30, 30, 1, 31, 29), (97, 89, 4, 33, 101),
                            (640, 480, 3, 224, 224), (37, 300, 3, 36, 7), (300, 37, 2, 7, 36),
                            (64, 64, 3, 32, 32), (32, 32, 3, 64, 64), (5, 4000, 1, 3, 10)]:
        a = pattern(w, h, c)
        planes = [np.array(Image.fromarray(np.ascontiguousarray(a[..., i])).resize((dw, dh), Image.BILINEAR))
                  for i in range(c)]  # one plane at a time, so that alpha is not treated specially
        lines.append(f"{w} {h} {c} {dw} {dh} {fnv(np.stack(planes, -1).tobytes()):016x}")
    open(f"{OUT}/resize.txt", "w").write("\n".join(lines) + "\n")


def quadrants(w=32, h=24):
    """Red, green / blue, grey: tells every orientation apart."""
    a = np.zeros((h, w, 3), np.uint8)
    a[:h // 2, :w // 2] = 200, 40, 30
    a[:h // 2, w // 2:] = 30, 180, 60
    a[h // 2:, :w // 2] = 40, 60, 190
    a[h // 2:, w // 2:] = 120, 120, 120
    return a


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(w, h, depth, colour, rows, extra=b""):
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, 0))
            + extra + png_chunk(b"IDAT", zlib.compress(rows, 9)) + png_chunk(b"IEND", b""))


def profile(primaries, gamma):
    """A matrix/TRC display profile (ICC v2) with D50-adapted colorants."""
    def xyz(v):
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(x * 65536)) for x in v)
    text = b"test"
    desc = b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" + b"\0" * 78
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    tags = [(b"desc", desc), (b"cprt", b"text\0\0\0\0none\0"), (b"wtpt", xyz((0.9642, 1.0, 0.8249)))]
    tags += [(n, xyz(v)) for n, v in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries)]
    tags += [(n, curve) for n in (b"rTRC", b"gTRC", b"bTRC")]
    table, body = struct.pack(">I", len(tags)), b""
    at = 128 + 4 + 12 * len(tags)
    for name, data in tags:
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s", at + len(body), b"lcms", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    header += struct.pack(">iii", round(0.9642 * 65536), 65536, round(0.8249 * 65536)) + b"\0" * 48
    return header + table + body


PROBES = []  # file x y r g b tolerance


def probe(name, rgb, tolerance, why=""):
    h, w = rgb.shape[:2]
    for x, y in ((w // 4, h // 4), (3 * w // 4, h // 4), (w // 4, 3 * h // 4), (3 * w // 4, 3 * h // 4)):
        PROBES.append(f"{name} {w} {h} {x} {y} {' '.join(str(int(v)) for v in rgb[y, x])} {tolerance}")


def fixtures():
    q = quadrants()
    turn = {1: None, 2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM,
            5: Image.TRANSPOSE, 6: Image.ROTATE_90, 7: Image.TRANSVERSE, 8: Image.ROTATE_270}
    for o, t in turn.items():  # stored turned, so that the upright picture is always q
        im = Image.fromarray(q)
        im = im if t is None else im.transpose(t)
        exif = Image.Exif()
        exif[0x0112] = o
        for ext, args in (("jpg", {"quality": 95, "subsampling": 0}), ("png", {}),
                          ("webp", {"lossless": True}), ("tif", {})):
            if ext in ("jpg",) or o in (6, 8):
                im.save(f"{OUT}/exif_{o}.{ext}", exif=exif, **args)
                probe(f"exif_{o}.{ext}", q, 6 if ext == "jpg" else 0)
    im = Image.fromarray(q)
    im.save(f"{OUT}/progressive.jpg", quality=95, subsampling=0, progressive=True)
    probe("progressive.jpg", q, 6)
    im.save(f"{OUT}/lossy.webp", quality=95)
    probe("lossy.webp", q, 12)
    for c in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        im.save(f"{OUT}/{c}.tif", compression=c)
        probe(f"{c}.tif", q, 0)
    Image.fromarray(q).save(f"{OUT}/pages.tif", save_all=True,
                            append_images=[Image.fromarray(255 - q), Image.fromarray(q[:5, :7])])
    probe("pages.tif", q, 0)
    grey = q[..., 1]
    as_rgb = np.repeat(grey[..., None], 3, -1)
    Image.fromarray(grey).save(f"{OUT}/grey.png")
    probe("grey.png", as_rgb, 0)
    Image.fromarray(grey).save(f"{OUT}/grey.jpg", quality=95)
    probe("grey.jpg", as_rgb, 6)
    Image.fromarray((grey.astype(np.uint16) * 257)).save(f"{OUT}/grey16.png")
    probe("grey16.png", as_rgb, 1)
    Image.fromarray((grey.astype(np.uint16) * 257)).save(f"{OUT}/grey16.tif")
    probe("grey16.tif", as_rgb, 1)
    wide = (q.astype(">u2") * 257)
    rows = b"".join(b"\0" + wide[y].tobytes() for y in range(q.shape[0]))
    open(f"{OUT}/rgb16.png", "wb").write(png(q.shape[1], q.shape[0], 16, 2, rows))
    probe("rgb16.png", q, 1)
    im.quantize(4).save(f"{OUT}/palette.png")
    probe("palette.png", np.array(im.quantize(4).convert("RGB")), 0)
    Image.fromarray((grey > 100)).save(f"{OUT}/one_bit.png")
    probe("one_bit.png", np.repeat((grey > 100)[..., None], 3, -1) * 255, 0)
    alpha = np.full(q.shape[:2] + (1,), 255, np.uint8)
    alpha[:12, :16] = 0
    alpha[12:, :16] = 128
    rgba = Image.fromarray(np.concatenate([q, alpha], -1))
    over = Image.alpha_composite(Image.new("RGBA", rgba.size, "black"), rgba).convert("RGB")
    for ext, args in (("png", {}), ("webp", {"lossless": True, "exact": True}), ("tif", {})):
        rgba.save(f"{OUT}/alpha.{ext}", **args)
        probe(f"alpha.{ext}", np.array(over), 1)
    adobe = [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)]
    icc = profile(adobe, 2.19921875)
    want = ImageCms.profileToProfile(im, ImageCms.ImageCmsProfile(io.BytesIO(icc)),
                                     ImageCms.createProfile("sRGB"), renderingIntent=0)
    im.save(f"{OUT}/icc.png", icc_profile=icc)
    probe("icc.png", np.array(want), 2)
    im.save(f"{OUT}/icc.jpg", icc_profile=icc, quality=95, subsampling=0)
    probe("icc.jpg", np.array(want), 8)
    im.save(f"{OUT}/icc.tif", icc_profile=icc)
    probe("icc.tif", np.array(want), 2)
    im.save(f"{OUT}/icc_broken.png", icc_profile=b"not a profile" * 12)
    probe("icc_broken.png", q, 0)
    im.convert("CMYK").save(f"{OUT}/cmyk.jpg", quality=95, subsampling=0)
    probe("cmyk.jpg", np.array(Image.open(f"{OUT}/cmyk.jpg").convert("RGB")), 6)
    inks = Image.fromarray(np.random.default_rng(9).integers(0, 256, (24, 32, 4), dtype=np.uint8), "CMYK")
    inks.save(f"{OUT}/cmyk.tif", compression="tiff_lzw")
    open(f"{OUT}/cmyk.txt", "w").write(f"cmyk.tif {fnv(inks.convert('RGB').tobytes()):016x}\n")
    mask = np.zeros(q.shape[:2], np.uint8)
    mask[:12, 16:] = 255
    Image.fromarray(mask).save(f"{OUT}/mask.png")
    Image.fromarray(np.stack([mask, mask * 0, mask * 0], -1)).save(f"{OUT}/mask_red.png")
    open(f"{OUT}/probes.txt", "w").write("# file width height x y r g b tolerance\n" + "\n".join(PROBES) + "\n")


def hostile():
    """Small files that lie; also the seeds of the fuzz target."""
    files = {"bomb.png": png(60000, 60000, 8, 2, b"\0" * 64), "zero.png": b"",
             "wide.png": png(49999, 49999, 1, 0, b"\0" * 64),
             "text.jpg": b"file_name,label\nimages/1.jpg,normal\n",
             "gif.png": b"GIF89a\1\0\1\0\0\0\0;", "noise.jpg": bytes(range(256)),
             "soi.jpg": b"\xff\xd8\xff", "sig.png": b"\x89PNG\r\n\x1a\n",
             "riff.webp": b"RIFF\xff\xff\xff\xffWEBPVP8 ",
             "bomb.tif": b"II*\0\x08\0\0\0" + struct.pack("<H", 5) + b"".join(
                 struct.pack("<HHII", t, 4, 1, v) for t, v in
                 ((256, 4000000000), (257, 4000000000), (258, 8), (273, 8), (279, 100))) + b"\0" * 4}
    for name, data in files.items():
        open(f"{OUT}/{name}", "wb").write(data)
        open(f"{CORPUS}/{name}", "wb").write(data)
    for name in ("exif_6.jpg", "progressive.jpg", "icc.png", "alpha.webp", "tiff_lzw.tif", "cmyk.jpg",
                 "rgb16.png", "palette.png", "lossy.webp", "pages.tif"):
        data = open(f"{OUT}/{name}", "rb").read()
        open(f"{CORPUS}/{name}", "wb").write(data)
        open(f"{CORPUS}/cut_{name}", "wb").write(data[:len(data) * 2 // 3])


os.makedirs(OUT, exist_ok=True)
os.makedirs(CORPUS, exist_ok=True)
goldens_mllama()
goldens_resize()
fixtures()
hostile()
