// The kernels as torch operators.
#include <torch/csrc/stable/library.h>

#include "attend_op.h"
#include "experts_op.h"
#include "gate_op.h"
#include "layer_op.h"
#include "prompt_op.h"
#include "route_op.h"
#include "step_ops.h"

STABLE_TORCH_LIBRARY(moevlm, m) {
  m.def("swiglu_experts(Tensor gate_up, Tensor down, Tensor hidden, Tensor ids, Tensor weights, int tier) -> Tensor");
  m.def("swiglu_dense(Tensor gate_up, Tensor down, Tensor hidden, int tier) -> Tensor");
  m.def("gated(Tensor projected, int width) -> Tensor");
  m.def("few_rows(Tensor weight, Tensor hidden) -> Tensor");
  m.def("rms_norm(Tensor hidden, Tensor scale, float epsilon) -> Tensor");
  m.def("rotated_heads(Tensor projected, Tensor q_scale, Tensor k_scale, Tensor cos, Tensor signed_sin, float epsilon, "
        "int queries, int keys) -> Tensor");
  m.def("attend(Tensor hidden, Tensor q_weight, Tensor k_weight, Tensor v_weight, Tensor q_scale, Tensor k_scale, "
        "Tensor cos, Tensor signed_sin, float epsilon, Tensor(a!) keys, Tensor(b!) values, int slot, Tensor? is_seen, "
        "float scale) -> Tensor");
  m.def("route(Tensor hidden, Tensor weight, Tensor? table, Tensor? rows, float damping, int top_k, bool normalises) "
        "-> (Tensor, Tensor, Tensor)");
  m.def("decode_layers(Tensor hidden, Tensor[] weights, Tensor[] routers, Tensor[] tables, Tensor? rows, Tensor cos, "
        "Tensor signed_sin, Tensor(a!)[] keys, Tensor(b!)[] values, int slot, Tensor? is_seen, float epsilon, "
        "float scale, float damping, int top_k, bool normalises, int num_open, int tier) -> Tensor");
  m.def("attend_prompt(Tensor queries, Tensor keys, Tensor values, Tensor? is_seen, float scale) -> Tensor");
  m.def("best_tier() -> int");
}

STABLE_TORCH_LIBRARY_IMPL(moevlm, CPU, m) {
  m.impl("swiglu_experts", TORCH_BOX(&moevlm::experts));
  m.impl("swiglu_dense", TORCH_BOX(&moevlm::dense));
  m.impl("gated", TORCH_BOX(&moevlm::gated));
  m.impl("few_rows", TORCH_BOX(&moevlm::few_rows));
  m.impl("rms_norm", TORCH_BOX(&moevlm::rms_norm));
  m.impl("rotated_heads", TORCH_BOX(&moevlm::rotated_heads));
  m.impl("attend", TORCH_BOX(&moevlm::attend_alone));
  m.impl("route", TORCH_BOX(&moevlm::route));
  m.impl("decode_layers", TORCH_BOX(&moevlm::decode_layers));
  m.impl("attend_prompt", TORCH_BOX(&moevlm::attend_prompt));
}

STABLE_TORCH_LIBRARY_IMPL(moevlm, CompositeExplicitAutograd, m) { m.impl("best_tier", TORCH_BOX(&moevlm::best_tier)); }
