"""Images as people store them -> RGB as it is seen on a white page: upright, opaque, sRGB of 8 bits a channel."""

import warnings
from collections.abc import Mapping
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms, ImageOps

# From 0 to the first of these that no value exceeds: Pillow's modes of more than 8 bits do not say what white is.
WHITES: Mapping[str, tuple[int, ...]] = {"F": (1,), "I": (255, 65535), "I;16": (65535,)}
STRAIGHT: Mapping[str, str] = {"La": "LA", "RGBa": "RGBA"}  # colours that were multiplied by their alpha
GREYS = ("L", "LA", "1")
# The colour space that a profile names -> the modes it may describe; the first is what Pillow's transform reads.
PROFILED: Mapping[str, tuple[str, ...]] = {
    "GRAY": GREYS,
    "RGB ": ("RGB", "RGBA", "RGBX", "P", "PA", "YCbCr", "HSV", *GREYS),
    "CMYK": ("CMYK",),
    "Lab ": ("LAB",),
}


def as_rgb(image: Image.Image) -> Image.Image:
    """Return a new RGB image of what a viewer shows of any image on a white page.

    EXIF's orientation is applied, whatever is transparent shows white, and colours with an embedded profile become
    sRGB; CMYK without one is converted as Pillow does. Grey of 16 bits counts from 0 to 65535, of floats from 0 to 1,
    of 32-bit integers from 0 to 255 or 65535, and from the least to the greatest value where one is outside. An
    animation gives the frame at which it stands: of an opened file the first.

    Args:
        image: In any of Pillow's modes; it is left as it is.

    Raises:
        ValueError: It has no pixels, or one that is no finite number.
        OSError, SyntaxError: Pillow's, where the file behind it is damaged.
    """
    if 0 in image.size:
        width, height = image.size
        raise ValueError(f"an image must be at least 1 px wide and high, got {width} x {height}; replace or remove it")
    stored = _of_8_bits(ImageOps.exif_transpose(image))
    stored = stored.convert(STRAIGHT.get(stored.mode, stored.mode))
    alpha = stored.convert("RGBA").getchannel("A") if stored.has_transparency_data else None
    stored.info.pop("transparency", None)  # it is in alpha now
    page = Image.new("RGB", stored.size, "white")
    page.paste(_in_srgb(stored), (0, 0), alpha)
    return page


def _of_8_bits(image: Image.Image) -> Image.Image:
    """Return grey of more bits as grey of 8, with its one transparent value, if any, as alpha."""
    if not image.mode.startswith(("I", "F")):
        return image
    values_HW = np.asarray(image).astype(np.float64)
    if not np.isfinite(values_HW).all():
        raise ValueError("every pixel must be a finite number, got nan or inf; replace or remove that image")
    black, white = _range(image.mode, values_HW)
    grey = Image.fromarray(np.rint((values_HW - black) * 255 / (white - black)).astype(np.uint8))
    transparent = image.info.get("transparency")
    if transparent is not None:
        grey = Image.merge("LA", (grey, Image.fromarray(np.where(values_HW == transparent, 0, 255).astype(np.uint8))))
    grey.info = {"icc_profile": image.info.get("icc_profile")}
    return grey


def _range(mode: str, values_HW: np.ndarray) -> tuple[float, float]:
    """Return which values are black and white."""
    least, greatest = float(values_HW.min()), float(values_HW.max())
    whites = WHITES["I;16" if mode.startswith("I;16") else mode]
    white = next((white for white in whites if least >= 0 and greatest <= white), None)
    if white is not None:
        return 0.0, float(white)
    return least, greatest if greatest > least else least + 1


def _in_srgb(image: Image.Image) -> Image.Image:
    """Return the colours alone, from the embedded profile to sRGB; without one they are sRGB already."""
    if not image.info.get("icc_profile"):
        return image.convert("RGB")
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(image.info["icc_profile"]))
        modes = PROFILED.get(profile.profile.xcolor_space, ())
        if image.mode not in modes:
            raise ValueError(f"it is of {profile.profile.xcolor_space.strip()}, the image of {image.mode}")
        to_srgb = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), modes[0], "RGB")
    except (OSError, ValueError, ImageCms.PyCMSError) as error:  # as browsers do; damaged ones are common
        warnings.warn(f"an image's colour profile cannot be used, it is taken for sRGB: {error}", stacklevel=2)
        return image.convert("RGB")
    return to_srgb.apply(image.convert(modes[0]))
