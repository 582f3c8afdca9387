"""transformers' Auto classes know the model from `import moevlm` on, and import it when they are first asked.

Registering takes our classes, hence torch and most of transformers: seconds, which a program that only names presets
need not wait. So what was registered with each of transformers' tables is kept by a stand-in, in the table's own
`_extra_content`, which registers our classes before it is first read for them. Tables that are not loaded yet get
theirs when they are.
"""

import sys
import threading
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

MODEL_TYPES = ("moevlm", "moevlm_text")  # of our configurations
AUTO = "transformers.models.auto"
TABLES = {  # by the module that holds them
    f"{AUTO}.configuration_auto": ("CONFIG_MAPPING",),
    f"{AUTO}.modeling_auto": ("MODEL_MAPPING", "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING"),
    f"{AUTO}.processing_auto": ("PROCESSOR_MAPPING",),
    f"{AUTO}.image_processing_auto": ("IMAGE_PROCESSOR_MAPPING",),
}


class _Registered(MutableMapping[Any, Any]):
    """What was registered with a table; ours is before it is looked up, or all is listed.

    Only then: transformers looks its own models up while it imports them, and ours are made of theirs.
    """

    def __init__(self, table: Any) -> None:
        self.table, self.content = table, table._extra_content
        table._extra_content = self

    def __getitem__(self, key: Any) -> Any:
        if getattr(key, "model_type", key) in MODEL_TYPES:  # tables of configurations have the type itself for a key
            _register_once()
        return self.content[key]

    def __iter__(self) -> Iterator[Any]:
        _register_once()
        return iter(self.content)

    def __len__(self) -> int:
        _register_once()
        return len(self.content)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.content[key] = value

    def __delitem__(self, key: Any) -> None:
        del self.content[key]


_STAND_INS: list[_Registered] = []


class _TablesToCome(MetaPathFinder):
    """Finds modules with tables as ever, and has their tables taken care of once they are loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module of TABLES; no other."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname in TABLES else None
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = partial(_executed, spec.loader.exec_module)  # type: ignore[method-assign]
        return spec


_TO_COME = _TablesToCome()
_LOCK = threading.RLock()


def register_on_demand() -> None:
    """Have our classes registered when a table of transformers is first read."""
    sys.meta_path.insert(0, _TO_COME)
    for name in TABLES.keys() & sys.modules.keys():
        _stand_in(sys.modules[name])


def _executed(execute: Callable[[ModuleType], None], module: ModuleType) -> None:
    execute(module)
    _stand_in(module)


def _stand_in(module: ModuleType) -> None:
    _STAND_INS.extend(_Registered(getattr(module, table)) for table in TABLES[module.__name__])


def _register_once() -> None:
    """Register, in one thread; others wait, so that none finds half of it."""
    with _LOCK:
        if _TO_COME in sys.meta_path:
            sys.meta_path.remove(_TO_COME)
            for one in _STAND_INS:  # the tables are as transformers made them
                one.table._extra_content = one.content
            _register()


def _register() -> None:
    """Register with all tables, through transformers' own interface."""
    from transformers import AutoConfig, AutoModel, AutoModelForImageTextToText, AutoProcessor
    from transformers.models.auto.image_processing_auto import AutoImageProcessor

    from moevlm.config import MoEVLMConfig, MoEVLMTextConfig
    from moevlm.model.image_processing import MoEVLMAnyresImageProcessorPil, MoEVLMFixedImageProcessorPil
    from moevlm.model.modeling import MoEVLMTextModel
    from moevlm.model.processing import MoEVLMProcessor
    from moevlm.model.vision_language import MoEVLMForConditionalGeneration, MoEVLMModel

    for config in (MoEVLMTextConfig, MoEVLMConfig):
        AutoConfig.register(config.model_type, config)
    AutoModel.register(MoEVLMTextConfig, MoEVLMTextModel)
    AutoModel.register(MoEVLMConfig, MoEVLMModel)
    AutoModelForImageTextToText.register(MoEVLMConfig, MoEVLMForConditionalGeneration)
    AutoProcessor.register(MoEVLMConfig, MoEVLMProcessor)
    # Each is saved by its name without Pil and found by that name again, so the second key may be any word.
    AutoImageProcessor.register(
        MoEVLMConfig,
        image_processor_classes={"pil": MoEVLMAnyresImageProcessorPil, "fixed": MoEVLMFixedImageProcessorPil},
    )
