"""Modules that are watched: every change is seen, and what is taken back is as it was."""

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from moevlm.generation.untouched import Untouched


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("table", None)
        self.scale = 0.5
        self.loose = torch.ones(3)


@pytest.fixture
def block():
    return Block().eval()


@pytest.fixture
def untouched(block):
    return Untouched(list(block.modules()))


def test_what_nobody_touches_is_untouched(block, untouched):
    assert untouched.holds()
    with torch.no_grad():
        block.linear.weight.mul_(2)
    assert untouched.holds()  # in its place: whoever reads it reads the new values


HOOKS = {
    "forward": lambda block: block.linear.register_forward_hook(print),
    "before it": lambda block: block.register_forward_pre_hook(print),
    "everywhere": lambda _: register_module_forward_hook(lambda *_: None),
    "before everything": lambda _: register_module_forward_pre_hook(lambda *_: None),
}


@pytest.mark.parametrize("where", HOOKS)
def test_a_hook_is_seen_until_it_is_removed(block, untouched, where):
    handle = HOOKS[where](block)
    assert not untouched.holds()
    handle.remove()
    assert untouched.holds()


CHANGES = {
    "a forward of its own": lambda block: setattr(block.linear, "forward", print),
    "another child": lambda block: setattr(block, "linear", nn.Linear(4, 4)),
    "one child more": lambda block: block.add_module("more", nn.Identity()),
    "another parameter": lambda block: setattr(block.linear, "weight", nn.Parameter(torch.ones(4, 4))),
    "a tensor elsewhere": lambda block: setattr(block.linear.weight, "data", torch.ones(4, 4)),
    "another dtype": lambda block: block.double(),
    "a buffer": lambda block: setattr(block, "table", torch.ones(1)),
    "a setting": lambda block: setattr(block, "scale", 0.25),
    "a new setting": lambda block: setattr(block, "more", 1),
    "training": lambda block: block.linear.train(),
    "a loose tensor": lambda block: setattr(block, "loose", torch.ones(3)),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_seen(block, untouched, what):
    CHANGES[what](block)
    assert not untouched.holds()


def test_what_is_taken_back_is_as_it_was(block, untouched):
    linear = block.linear
    block.linear = nn.Identity()
    block.train()
    block.linear = linear
    block.eval()
    assert untouched.holds()
