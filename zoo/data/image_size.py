"""The size of an image from the header of its file: a small file may decode to gigabytes."""

HUGE = 1 << 62
"""The number of pixels returned for a file whose header is damaged, and for an animated WebP file,
for which TensorFlow's decoder writes beyond the memory that it allocates."""


def pixel_count(data: bytes) -> int:
    """The number of pixels of a PNG, JPEG, BMP, GIF or WebP file, in all frames of a GIF; 0 for
    other files, which cannot be decoded."""
    try:
        if data.startswith(b"\x89PNG"):
            if data[12:16] != b"IHDR":  # decoders skip unknown chunks before the size
                return HUGE
            return _big(data, 16, 4) * _big(data, 20, 4)
        if data.startswith(b"BM"):
            fields = (data[at : at + 4] for at in BMP_SIZE)
            width, height = (int.from_bytes(field, "little", signed=True) for field in fields)
            return abs(width * height)
        if data.startswith(b"GIF8"):
            return _gif(data)
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
    except IndexError:
        return HUGE
    return 0


BMP_SIZE = (18, 22)
"""The positions of width and height in a BMP file."""

FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""JPEG markers that are followed by the size of the image."""

STANDALONE = {0x01, *range(0xD0, 0xD8)}
"""JPEG markers that are followed by neither a length nor data."""

SEGMENTS = {0xC4, 0xCC, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE}
"""JPEG markers that are followed by a length and data, before the size of the image."""


def _big(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _little(data: bytes, at: int) -> int:
    return data[at] | data[at + 1] << 8


def _jpeg(data: bytes) -> int:
    at = 2
    while data[at] == 0xFF:
        while data[at] == 0xFF:  # any number of these precede a marker
            at += 1
        marker = data[at]
        if marker in FRAMES:
            return _big(data, at + 4, 2) * _big(data, at + 6, 2)
        at += 1
        if marker not in STANDALONE:
            length = _big(data, at, 2)
            if marker not in SEGMENTS or length < 2:
                return HUGE
            at += length
    # Decoders skip what is not a marker, each in its own way.
    return HUGE


def _webp(data: bytes) -> int:
    form = data[12:16]
    if form == b"VP8X":
        if data[20] & 2:  # an animation
            return HUGE
        width, height = (_little(data, at) | data[at + 2] << 16 for at in (24, 27))
        return (width + 1) * (height + 1)
    if form == b"VP8L":
        bits = _little(data, 21) | _little(data, 23) << 16
        return ((bits & 0x3FFF) + 1) * ((bits >> 14 & 0x3FFF) + 1)
    if form != b"VP8 ":
        return HUGE
    return (_little(data, 26) & 0x3FFF) * (_little(data, 28) & 0x3FFF)


def _gif(data: bytes) -> int:
    pixels = _little(data, 6) * _little(data, 8)
    at = 13 + _table(data[10])
    # A file may lack the byte that ends it.
    while at < len(data) and data[at] in (0x21, 0x2C):
        if data[at] == 0x2C:
            pixels += _little(data, at + 5) * _little(data, at + 7)
            at += 11 + _table(data[at + 9])
        else:
            at += 2
        while data[at]:  # blocks, each preceded by its length
            at += 1 + data[at]
        at += 1
    return pixels


def _table(flags: int) -> int:
    """Size of a colour table, in bytes."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
