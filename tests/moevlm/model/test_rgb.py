"""Images as people store them come out as a viewer shows them, read from a copy of a data set or handed to a processor.

Every expected pixel is computed by hand: half of red on white is (255, 127, 127), 257 steps of 16 bits are one of 8.
"""

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from transformers import CLIPVisionConfig

from fixtures.tasks.stored import decode
from moevlm.config import MoEVLMConfig, MoEVLMTextConfig
from moevlm.model.processing import build_processor
from moevlm.model.rgb import as_rgb

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
PINK, GREY = (255, 127, 127), (127, 127, 127)  # red and black of alpha 128 on white
AS_IT_IS = dict.fromkeys(("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_pad"), False)


def image_of(mode: str, *pixels: Any) -> Image.Image:
    """Return one row of pixels."""
    image = Image.new(mode, (len(pixels), 1))
    image.putdata(pixels)
    return image


def palette_of(*colours: tuple[int, int, int]) -> Image.Image:
    """Return one row that shows each colour of a palette once."""
    image = image_of("P", *range(len(colours)))
    image.putpalette([value for colour in colours for value in colour])
    return image


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def animated(form: str, **options: Any) -> bytes:
    frames = [Image.new("RGB", (2, 1), colour) for colour in ("red", "blue", "lime")]
    return saved(frames[0], form, save_all=True, append_images=frames[1:], duration=100, **options)


def turned(form: str, orientation: int, **options: Any) -> bytes:
    """Store red, green, blue above white, black, red with an orientation."""
    image = Image.new("RGB", (3, 2))
    image.putdata([RED, GREEN, BLUE, WHITE, BLACK, RED])
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(image, form, exif=exif, **options)


def swapped_profile() -> bytes:
    """Return a profile whose red is sRGB's blue and whose blue is sRGB's red."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return srgb.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")


def linear_grey_profile() -> bytes:
    """Write a profile of grey that counts light itself (ICC.1:2001-04): a header, a white point, a curve of gamma 1."""
    d50 = b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in (0.9642, 1.0, 0.8249)))
    tags = {b"wtpt": d50, b"kTRC": b"curv" + bytes(8)}
    table, data, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">2I", start + len(data), len(content))
        data += content
    head = struct.pack(">I4sI4s4s4s12x4s", start + len(data), b"\0" * 4, 0x02100000, b"mntr", b"GRAY", b"XYZ ", b"acsp")
    return head.ljust(68, b"\0") + d50[8:] + bytes(128 - 80) + table + data


# One row of pixels a case: the file -> what a viewer shows.
ROWS: dict[str, tuple[bytes, list[tuple[int, int, int]]]] = {
    "RGB": (saved(image_of("RGB", RED, (1, 2, 3)), "PNG"), [RED, (1, 2, 3)]),
    "RGBA": (saved(image_of("RGBA", (*RED, 128), (*BLACK, 0), (*BLUE, 255)), "PNG"), [PINK, WHITE, BLUE]),
    "LA": (saved(image_of("LA", (0, 128), (0, 0), (100, 255)), "PNG"), [GREY, WHITE, (100, 100, 100)]),
    "palette, one entry transparent": (
        saved(palette_of(RED, BLACK, BLUE), "PNG", transparency=1), [RED, WHITE, BLUE]),
    "palette, an alpha an entry": (
        saved(palette_of(RED, BLACK, BLUE), "PNG", transparency=b"\x80\0\xff"), [PINK, WHITE, BLUE]),
    "palette, opaque": (saved(palette_of(RED, BLACK), "PNG"), [RED, BLACK]),
    "RGB, one colour transparent": (saved(image_of("RGB", RED, BLACK), "PNG", transparency=BLACK), [RED, WHITE]),
    "L, one grey transparent": (saved(image_of("L", 100, 0), "PNG", transparency=0), [(100, 100, 100), WHITE]),
    "L": (saved(image_of("L", 100, 0), "PNG"), [(100, 100, 100), BLACK]),
    "1": (saved(image_of("1", 0, 255), "PNG"), [BLACK, WHITE]),
    "WebP, transparent": (
        saved(image_of("RGBA", (*RED, 128), (*BLACK, 0)), "WEBP", lossless=True, exact=True), [PINK, WHITE]),
    "TIFF, transparent": (saved(image_of("RGBA", (*RED, 128), (*BLACK, 0)), "TIFF"), [PINK, WHITE]),
    "GIF, transparent": (saved(palette_of(RED, BLACK, BLUE), "GIF", transparency=1), [RED, WHITE, BLUE]),
    "GIF, animated": (animated("GIF"), [RED, RED]),
    "WebP, animated": (animated("WEBP", lossless=True), [RED, RED]),
    "PNG, animated": (animated("PNG"), [RED, RED]),
    "TIFF of several pages": (animated("TIFF"), [RED, RED]),
    "PNG of 16 bits": (saved(image_of("I;16", 0, 257 * 100, 65535), "PNG"), [BLACK, (100, 100, 100), WHITE]),
    "TIFF of 16 bits": (saved(image_of("I;16", 0, 257 * 100, 65535), "TIFF"), [BLACK, (100, 100, 100), WHITE]),
    "PNG of 16 bits, all dark": (saved(image_of("I;16", 128, 129, 257), "PNG"), [BLACK, (1, 1, 1), (1, 1, 1)]),
    "PNG of 16 bits, one grey transparent": (
        saved(image_of("I;16", 2570, 2571), "PNG", transparency=2570), [WHITE, (10, 10, 10)]),
    "PGM of 16 bits": (b"P5 3 1 65535\n" + struct.pack(">3H", 0, 257 * 100, 65535), [BLACK, (100, 100, 100), WHITE]),
    "TIFF of 32 bits": (saved(image_of("I", -100, 0, 155), "TIFF"), [BLACK, (100, 100, 100), WHITE]),
    "TIFF of floats from 0 to 1": (saved(image_of("F", 0.0, 0.2, 0.6), "TIFF"), [BLACK, (51, 51, 51), (153, 153, 153)]),
    "TIFF of other floats": (saved(image_of("F", -1.0, 0.0, 4.0), "TIFF"), [BLACK, (51, 51, 51), WHITE]),
    "TIFF of one float": (saved(image_of("F", 7.0, 7.0), "TIFF"), [BLACK, BLACK]),
    "CMYK": (saved(image_of("CMYK", (255, 0, 0, 0), (0, 0, 0, 255), (0, 0, 0, 0)), "TIFF"),
             [(0, 255, 255), BLACK, WHITE]),
    "RGB with a profile": (saved(image_of("RGB", RED, GREEN), "PNG", icc_profile=swapped_profile()), [BLUE, GREEN]),
    "RGBA with a profile": (
        saved(image_of("RGBA", (*BLUE, 128), (*BLUE, 0)), "PNG", icc_profile=swapped_profile()), [PINK, WHITE]),
    "palette with a profile": (saved(palette_of(RED, BLUE), "PNG", icc_profile=swapped_profile()), [BLUE, RED]),
    "grey with a profile of RGB": (saved(image_of("L", 0, 100), "PNG", icc_profile=swapped_profile()),
                                   [BLACK, (100, 100, 100)]),
    # 55 / 255 of the light is 1.055 (55 / 255)^(1 / 2.4) - 0.055 = 0.502 in sRGB, 128 of 255
    "grey of linear light": (saved(image_of("L", 0, 55, 255), "PNG", icc_profile=linear_grey_profile()),
                             [BLACK, (128, 128, 128), WHITE]),
    "grey of linear light, 16 bits": (
        saved(image_of("I;16", 257 * 55), "PNG", icc_profile=linear_grey_profile()), [(128, 128, 128)]),
}  # fmt: skip
SHOWN: dict[int, list[str]] = {  # EXIF 2.3, 4.6.4 A: where row 0 and column 0 of what is stored are seen
    1: ["RGB", "WKR"], 2: ["BGR", "RKW"], 3: ["RKW", "BGR"], 4: ["WKR", "RGB"],
    5: ["RW", "GK", "BR"], 6: ["WR", "KG", "RB"], 7: ["RB", "KG", "WR"], 8: ["BR", "GK", "RW"],
}  # fmt: skip
COLOURS = {"R": RED, "G": GREEN, "B": BLUE, "W": WHITE, "K": BLACK}
FORMS: dict[str, dict[str, Any]] = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}}
CASES: dict[str, tuple[bytes, list[list[tuple[int, int, int]]]]] = {
    **{name: (data, [row]) for name, (data, row) in ROWS.items()},
    **{
        f"{form}, orientation {orientation}": (
            turned(form, orientation, **options),
            [[COLOURS[letter] for letter in row] for row in rows],
        )
        for form, options in FORMS.items()
        for orientation, rows in SHOWN.items()
    },
}
PROCESSOR = build_processor(
    MoEVLMConfig(
        vision_config=CLIPVisionConfig(image_size=56, patch_size=14),
        text_config=MoEVLMTextConfig(vocab_size=1024),
        image_token_id=3,
    )
)


def handed_to_the_processor(data: bytes) -> np.ndarray:
    """Return what the model would see of an image if it were neither cut to size nor normalised."""
    pixels_1CHW = PROCESSOR(images=Image.open(BytesIO(data)), text="<image>", **AS_IT_IS)["pixel_values"]
    return np.moveaxis(pixels_1CHW[0], 0, -1)


def handed_to_the_image_processor(data: bytes) -> np.ndarray:
    return np.moveaxis(PROCESSOR.image_processor([Image.open(BytesIO(data))], **AS_IT_IS)["pixel_values"][0], 0, -1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "seen",
    [lambda data: np.asarray(decode(data)), handed_to_the_processor, handed_to_the_image_processor],
    ids=["stored", "processor", "image processor"],
)
@pytest.mark.parametrize("case", CASES)
def test_an_image_is_seen_as_a_viewer_shows_it_on_white(case: str, seen: Callable[[bytes], np.ndarray]) -> None:
    data, expected = CASES[case]
    assert seen(data).tolist() == np.array(expected).tolist()


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (image_of("La", (64, 128)), (191, 191, 191)),  # 64 of 128 is 127 of 255, and half of it on white is 191
        (image_of("RGBa", (128, 0, 0, 128)), PINK),
        (palette_of(BLACK, RED).convert("PA"), BLACK),
        (image_of("RGBX", (*BLUE, 0)), BLUE),
        (image_of("HSV", (0, 255, 255)), RED),
        (image_of("YCbCr", (255, 128, 128)), WHITE),
        (image_of("LAB", (255, 128, 128)), WHITE),
        (image_of("I;16B", 257 * 100), (100, 100, 100)),
        (image_of("I", 257 * 100), (100, 100, 100)),
        (image_of("I", 100), (100, 100, 100)),
        (Image.fromarray(np.array([[0.2, 1.0]], np.float32)), (51, 51, 51)),
    ],
    ids=lambda value: getattr(value, "mode", ""),
)
def test_modes_that_only_live_in_memory_are_seen_too(image: Image.Image, expected: tuple[int, int, int]) -> None:
    assert as_rgb(image).getpixel((0, 0)) == pytest.approx(expected, abs=1)  # LAB's arithmetic rounds


@pytest.mark.parametrize("case", CASES)
def test_an_image_stays_as_it_is_and_what_is_made_of_it_changes_no_more(case: str) -> None:
    with Image.open(BytesIO(CASES[case][0])) as image:
        image.load()
        before = (image.mode, image.size, image.tobytes(), dict(image.info))
        once = as_rgb(image)
        assert (image.mode, image.size, image.tobytes(), image.info) == before
    assert as_rgb(once) == once
    assert once.info == {}


def test_a_frame_that_was_sought_is_the_one_that_is_seen() -> None:
    with Image.open(BytesIO(animated("GIF"))) as image:
        image.seek(1)
        assert as_rgb(image).getpixel((0, 0)) == BLUE


@pytest.mark.parametrize(
    ("image", "profile", "reason"),
    [
        (image_of("RGB", RED), b"no profile", "cannot open profile"),
        (image_of("RGB", RED), linear_grey_profile(), "it is of GRAY, the image of RGB"),
        (image_of("RGB", RED), swapped_profile().replace(b"rTRC", b"none"), "cannot build transform"),
    ],
    ids=["noise", "of another space", "incomplete"],
)
def test_a_profile_that_cannot_be_used_is_left_out_with_a_warning(
    image: Image.Image, profile: bytes, reason: str
) -> None:
    data = saved(image, "PNG", icc_profile=profile)
    with pytest.warns(UserWarning, match=rf"taken for sRGB: .*{reason}"):
        assert decode(data).getpixel((0, 0)) == RED


@pytest.mark.parametrize("size", [(0, 3), (3, 0)])
def test_an_image_without_pixels_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"at least 1 px wide and high, got {size[0]} x {size[1]}; replace"):
        as_rgb(Image.new("RGB", size))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_pixel_that_is_no_finite_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="every pixel must be a finite number, got nan or inf; replace"):
        decode(saved(image_of("F", 0.5, value), "TIFF"))
