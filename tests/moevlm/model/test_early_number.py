"""A number that is copied to the host before later work: what is asked of CUDA, in order, and what is read."""

import pytest
import torch

from moevlm.model import early_number, vision_language
from moevlm.model.early_number import EarlyNumber


@pytest.fixture
def asked(monkeypatch):
    """Note what is asked of CUDA, in order, where there is none; a copy arrives when it is waited for."""
    noted = []

    class OfAGpu:
        is_cuda, dtype, device = True, torch.int64, "cuda:0"

    class Pinned:
        def copy_(self, source, *, non_blocking):
            noted.append(("copy", source, non_blocking))

        def __int__(self):
            assert "wait" in noted, "read before it arrived"
            return 7

    class Event:
        def record(self, stream):
            noted.append(("record", stream))

        def synchronize(self):
            noted.append("wait")

    def empty(*_, pin_memory, **__):
        assert pin_memory
        return Pinned()

    monkeypatch.setattr(early_number.torch, "empty", empty)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"stream of {device}")
    return noted, OfAGpu()


def test_the_copy_is_asked_for_at_once_and_waited_for_at_the_reading(asked):
    noted, of_a_gpu = asked
    number = EarlyNumber(of_a_gpu)
    assert noted == [("copy", of_a_gpu, True), ("record", "stream of cuda:0")]
    assert int(number.read()) == 7
    assert noted[2:] == ["wait"]


def test_a_number_on_the_host_is_itself():
    number = torch.tensor(3)
    assert EarlyNumber(number).read() is number


def test_image_tokens_are_counted_before_the_tower_runs(make_model, prompt, monkeypatch):
    model, order = make_model(), []
    kinds = {"count": EarlyNumber.__init__, "read": EarlyNumber.read, "tower": type(model.model).get_image_features}

    def noting(name):
        return lambda *given, **named: order.append(name) or kinds[name](*given, **named)

    monkeypatch.setattr(EarlyNumber, "__init__", noting("count"))
    monkeypatch.setattr(EarlyNumber, "read", noting("read"))
    monkeypatch.setattr(vision_language.MoEVLMModel, "get_image_features", noting("tower"))
    model.model.embed(prompt["input_ids"], prompt["pixel_values"])
    assert order == ["count", "tower", "read"]
