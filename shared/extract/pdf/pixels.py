"""A few of a page's pixels in grey: enough to tell a page of text from a photograph.

To draw a page, pdfium decodes its images, corrects their colours and scales them. Where one image is all that
there is to see, some of its own pixels do as well, in a third of the time.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

Handle = Any

_SIDE = 400  # pixels of the longer side
_EVERY = 3  # rows: one in so many
_RED, _GREEN, _BLUE = (bytes(int(part * tone) for tone in range(256)) for part in (0.299, 0.587, 0.114))
_PLAIN = {
    pdfium.FPDF_COLORSPACE_DEVICEGRAY,
    pdfium.FPDF_COLORSPACE_DEVICERGB,
    pdfium.FPDF_COLORSPACE_CALGRAY,
    pdfium.FPDF_COLORSPACE_CALRGB,
    pdfium.FPDF_COLORSPACE_ICCBASED,
}
_GREYS, _COLOURS = 1, 3  # bytes of a pixel
_CHANNELS = {
    pdfium.FPDFBitmap_Gray: _GREYS,
    pdfium.FPDFBitmap_BGR: _COLOURS,
    pdfium.FPDFBitmap_BGRx: 4,
    pdfium.FPDFBitmap_BGRA: 4,
}


def draw(page: Handle) -> list[bytes]:
    """Some rows of the page as one sees it; at least one, of at least one pixel."""
    wide, high = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    scale = _SIDE / max(wide, high)
    width, height = max(1, int(wide * scale)), max(1, int(high * scale))
    # No FPDF_GRAYSCALE: it turns every image grey before it is scaled, the bitmap does so after.
    bitmap = pdfium.FPDFBitmap_CreateEx(width, height, pdfium.FPDFBitmap_Gray, None, 0)
    try:
        pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFF)
        pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, 0)
        stride = pdfium.FPDFBitmap_GetStride(bitmap)
        pixels = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * height)
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    return [pixels[row * stride : row * stride + width] for row in range(0, height, _EVERY)]


def sample(page: Handle, image: Handle) -> list[bytes] | None:
    """Some rows of the image alone; None where its pixels are not to be had as they are."""
    name = ctypes.create_string_buffer(32)
    if pdfium.FPDFImageObj_GetImageFilterCount(image) != 1:
        return None
    pdfium.FPDFImageObj_GetImageFilter(image, 0, name, len(name))
    if name.value == b"DCTDecode":
        return _sample_jpeg(image)
    return _sample_plain(page, image) if name.value == b"FlateDecode" else None


class _Raster(NamedTuple):
    """Pixels in rows of `stride` bytes; `weights` are what each channel's value adds to a pixel's grey."""

    pixels: memoryview
    width: int
    height: int
    stride: int
    channels: int
    weights: tuple[bytes, ...]


def _sample_jpeg(image: Handle) -> list[bytes] | None:
    bitmap = pdfium.FPDFImageObj_GetBitmap(image)
    if not bitmap:
        return None
    try:
        channels = _CHANNELS.get(pdfium.FPDFBitmap_GetFormat(bitmap))
        stride, height = pdfium.FPDFBitmap_GetStride(bitmap), pdfium.FPDFBitmap_GetHeight(bitmap)
        start = ctypes.cast(pdfium.FPDFBitmap_GetBuffer(bitmap), ctypes.c_void_p).value
        if channels is None or start is None:
            return None
        pixels = memoryview((ctypes.c_ubyte * (stride * height)).from_address(start)).cast("B")
        width = pdfium.FPDFBitmap_GetWidth(bitmap)
        return _grey(_Raster(pixels, width, height, stride, channels, (_BLUE, _GREEN, _RED)))
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)


def _sample_plain(page: Handle, image: Handle) -> list[bytes] | None:
    about = pdfium.FPDF_IMAGEOBJ_METADATA()
    if not pdfium.FPDFImageObj_GetImageMetadata(image, page, about) or about.colorspace not in _PLAIN:
        return None
    channels = {8: _GREYS, 24: _COLOURS}.get(about.bits_per_pixel)
    if channels is None:
        return None
    stride = about.width * channels
    size = stride * about.height
    pixels = (ctypes.c_ubyte * size)()
    if not size or pdfium.FPDFImageObj_GetImageDataDecoded(image, pixels, size) != size:
        return None
    view = memoryview(pixels).cast("B")
    return _grey(_Raster(view, about.width, about.height, stride, channels, (_RED, _GREEN, _BLUE)))


def _grey(raster: _Raster) -> list[bytes]:
    """Every n-th pixel of every so many rows."""
    pixels, width, height, stride, channels, weights = raster
    step = -(-max(width, height) // _SIDE)
    starts = range(0, stride * height, stride * step * _EVERY)
    planes = [
        b"".join(bytes(pixels[at + plane : at + width * channels : channels * step]) for at in starts)
        for plane in range(min(channels, _COLOURS))
    ]
    if channels > _GREYS:
        # Whole planes are added as one number each: no sum of three parts of a pixel carries into the next.
        parts = [plane.translate(weight) for plane, weight in zip(planes, weights, strict=True)]
        total = sum(int.from_bytes(part, "little") for part in parts)
        planes = [total.to_bytes(len(parts[0]), "little")]
    row = len(range(0, width, step))
    return [planes[0][at : at + row] for at in range(0, len(planes[0]), row)]
