"""Named model shapes and their variants; `python -m fixtures.presets` prints how many parameters each has."""

from moevlm.presets.configs import ANYRES_GRIDS, VARIANTS, preset_config, preset_variants
from moevlm.presets.shapes import PRESETS

__all__ = ["ANYRES_GRIDS", "PRESETS", "VARIANTS", "preset_config", "preset_variants"]
