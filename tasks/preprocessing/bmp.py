"""Recognises BMP files that TensorFlow reads wrongly or not at all: it ignores their palettes."""

from seqzoo.tasks.wording import counted

BITS = (1, 2, 4, 8, 16)
"""Bits per pixel that need a closer look; those of RGB, 24 and 32, do not."""


def bmp_fault(data: bytes) -> str:
    """Why a BMP file is not accepted, as the end of a sentence; empty if it is, and for files of
    other formats."""
    bits = _little(data, 28, 2)
    if not data.startswith(b"BM") or bits not in BITS or (bits == 8 and _is_greyscale(data)):
        return ""
    return (
        f"is a BMP file with {counted(bits, 'bit')} per pixel that is neither RGB nor uncompressed "
        "8-bit greyscale; save it as PNG, or as RGB"
    )


def _is_greyscale(data: bytes) -> bool:
    """Whether a file of 8 bits per pixel is uncompressed, and pixels are their own grey values."""
    begin = 14 + _little(data, 14, 4)
    count = min(_little(data, 46, 4) or 256, 256)
    greys = (data[begin + 4 * grey : begin + 4 * grey + 3] for grey in range(count))
    compression = _little(data, 30, 4)
    return not compression and all(bgr == bytes([grey] * 3) for grey, bgr in enumerate(greys))


def _little(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
