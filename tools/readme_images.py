"""Writes docs/images: the heat-map and a piece of the report that `make demo` leaves in runs/demo, small enough for the
README.

    make demo && python tools/readme_images.py [DEMO_DIR] [OUT_DIR]

Pictures of phantoms only.
"""

import base64
import io
import pathlib
import re
import sys

from PIL import Image

WIDTH, COLOURS = 760, 96


def save(image, path):
    """WIDTH pixels wide, a palette."""
    small = image.convert("RGB").resize((WIDTH, image.height * WIDTH // image.width), Image.Resampling.LANCZOS)
    small.quantize(COLOURS).save(path, optimize=True)
    print(path, path.stat().st_size)


def main():
    """Reads the demo's files, writes two pictures."""
    demo = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "runs/demo")
    out = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "docs/images")
    out.mkdir(parents=True, exist_ok=True)
    save(Image.open(demo / "heatmap.png"), out / "heatmap.png")
    html = (demo / "report.html").read_text(encoding="utf-8")
    plots = re.findall(r'src="data:image/png;base64,([^"]+)"', html)[:2]  # ROC curves, reliability
    left, right = (Image.open(io.BytesIO(base64.b64decode(plot))).convert("RGB") for plot in plots)
    both = Image.new("RGB", (left.width + right.width, max(left.height, right.height)), "white")
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    save(both, out / "report.png")


if __name__ == "__main__":
    main()
