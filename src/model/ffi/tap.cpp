#include "tap.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/native/ConvUtils.h>
#include <ATen/record_function.h>
#include <c10/core/CPUAllocator.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/runtime/custom_operator.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/library.h>
#include <torch/script.h>
#include <torch/version.h>

// What follows uses libtorch's internals, which change without notice.
static_assert(TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR == 13,
              "yolo-cam is written for libtorch 2.13: run `make libtorch`, or point LIBTORCH at that version");

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
namespace aten = c10::aten;
namespace prim = c10::prim;

struct ExpandedGraph;

struct yc_module {
  torch::jit::Module module;
  c10::Device device;
  // Made when it is first needed, shared by all handles, and never changed: what runs is made of copies.
  mutable std::shared_ptr<const ExpandedGraph> expanded;
  // Of its weights.
  at::ScalarType type = at::kFloat;
};

struct yc_builder {
  std::shared_ptr<torch::jit::CompilationUnit> unit = std::make_shared<torch::jit::CompilationUnit>();
  std::vector<torch::jit::Module> modules;
};

struct yc_graph {
  torch::jit::GraphExecutor executor;
  torch::jit::Module module;
  size_t n_outputs;
  c10::Device device;
};

struct yc_tail {
  torch::jit::GraphExecutor before, after;
  torch::jit::Module module;
  size_t n_outputs;
  // Of the last start: what the part behind the tap needs besides it.
  std::vector<c10::IValue> crossing;
};

namespace {

// Shapes of the two operators of detectors that PyTorch knows how to run without data in Python only.
at::Tensor convolution_without_data(const at::Tensor &input, const at::Tensor &weight, const std::optional<at::Tensor> &,
                                    at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation,
                                    bool transposed, at::IntArrayRef output_padding, int64_t groups) {
  auto size = transposed ? at::native::conv_input_size(input.sizes(), weight.sizes(), padding, output_padding, stride,
                                                       dilation, groups)
                         : at::native::conv_output_size(input.sizes(), weight.sizes(), padding, stride, dilation);
  return at::empty(size, input.options());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> batch_norm_without_data(
    const at::Tensor &input, const std::optional<at::Tensor> &, const std::optional<at::Tensor> &,
    const std::optional<at::Tensor> &, const std::optional<at::Tensor> &, bool, double, double) {
  // Mean and deviation are those of a training.
  return {at::empty_like(input), at::empty({0}, input.options()), at::empty({0}, input.options())};
}

TORCH_LIBRARY_IMPL(aten, Meta, library) {
  library.impl("convolution_overrideable", convolution_without_data);
  library.impl("native_batch_norm", batch_norm_without_data);
}

// Held while graphs of methods, which modules may share, are copied.
std::mutex graph_copying;

// The one place where a C++ exception becomes an error message.
template <class F>
auto guarded(char **error, decltype(std::declval<F>()()) failed, F body) noexcept -> decltype(body()) {
  std::string message;
  try {
    return body();
  } catch (const c10::Error &e) {
    message = e.what_without_backtrace();
  } catch (const std::exception &e) {
    message = e.what();
  } catch (...) {
    message = "unknown C++ exception";
  }
  *error = strdup(message.c_str());
  return failed;
}

// How much more memory tensors may take in this thread; none while there is no bound.
struct Budget {
  size_t most, left;
};
thread_local Budget *budget = nullptr;

void check_tensor(size_t bytes, size_t most) {
  TORCH_CHECK(bytes <= most, "it makes a tensor of ", bytes, " bytes; at most ", most,
              " are allowed for an input of this size");
}

void check_total(bool fits) {
  TORCH_CHECK(fits, "its tensors take more memory than is allowed for an input of this size");
}

// libtorch's own allocator, but for the bound.
class BoundedAllocator final : public c10::Allocator {
 public:
  explicit BoundedAllocator(c10::Allocator *inner) : inner_(inner) {}

  at::DataPtr allocate(size_t bytes) override {
    if (budget) {
      check_tensor(bytes, budget->most);
      check_total(bytes <= budget->left);
      budget->left -= bytes;
    }
    return inner_->allocate(bytes);
  }

  at::DeleterFnPtr raw_deleter() const override { return inner_->raw_deleter(); }

  void copy_data(void *to, const void *from, size_t bytes) const override { inner_->copy_data(to, from, bytes); }

 private:
  c10::Allocator *inner_;
};

// While it lives, tensors that this thread makes take at most so much memory: each, and all together, whether or not
// they are freed in between.
class Bound {
 public:
  Bound(size_t most, size_t all) : own_{most, all}, outer_(budget) {
    static BoundedAllocator allocator(c10::GetCPUAllocator());
    static std::once_flag once;
    std::call_once(once, [] { c10::SetCPUAllocator(&allocator, /*priority=*/1); });
    budget = &own_;
  }
  ~Bound() { budget = outer_; }
  Bound(const Bound &) = delete;

 private:
  Budget own_;
  Budget *outer_;
};

// While it lives, tells how much memory the tensors would take that this thread makes without data.
class Tally {
 public:
  Tally() : outer_(tally_) {
    tally_ = this;
    handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(nullptr, &Tally::see).needsOutputs(true));
  }
  ~Tally() {
    at::removeCallback(handle_);
    tally_ = outer_;
  }
  Tally(const Tally &) = delete;

  void check(size_t most, size_t all) const {
    size_t total = 0;
    for (const auto &[address, storage] : seen_) {
      size_t bytes = storage.nbytes();
      check_tensor(bytes, most);
      total += bytes;
    }
    check_total(total <= all);
  }

 private:
  static void see(const at::RecordFunction &function, at::ObserverContext *) {
    for (const auto &output : function.outputs())
      if (output.isTensor() && output.toTensor().defined() && output.toTensor().has_storage())
        // Held, so that no other gets its address.
        tally_->seen_.emplace(output.toTensor().storage().unsafeGetStorageImpl(), output.toTensor().storage());
  }

  static thread_local Tally *tally_;
  std::unordered_map<const void *, c10::Storage> seen_;
  at::CallbackHandle handle_;
  Tally *outer_;
};
thread_local Tally *Tally::tally_ = nullptr;

// Weights become f32, channels_last (about 15 % faster on a CPU). A copy only where they are not so already.
at::Tensor prepared(const at::Tensor &tensor) {
  if (!tensor.is_floating_point()) return tensor;
  auto format = tensor.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  // One after the other: both at once take twice as long.
  return tensor.to(at::kFloat).contiguous(format);
}

// Shows `change` each parameter and buffer.
template <class F>
void for_each_tensor(const torch::jit::Module &module, F change) {
  torch::NoGradGuard no_grad;
  for (const auto &parameter : module.parameters()) change(parameter);
  for (const auto &buffer : module.buffers()) change(buffer);
}

// And they take no part in autograd.
void prepare_weights(const torch::jit::Module &module) {
  for_each_tensor(module, [](at::Tensor tensor) { tensor.requires_grad_(false).set_data(prepared(tensor)); });
}

// A file exported on a GPU, or in fp16, has that device and type in its code as well.
void prepare_constants(Graph &graph, c10::Device device, at::ScalarType type) {
  std::vector<Node *> replaced;
  for (Node *node : graph.block()->nodes()) {
    if (node->kind() != prim::Constant || node->outputs().size() != 1) continue;
    auto value = torch::jit::toIValue(node->output());
    if (!value) continue;
    c10::IValue wanted;
    if (value->isDevice()) {
      wanted = device;
    } else if (value->isTensor() && value->toTensor().defined()) {
      auto tensor = value->toTensor();
      bool is_weight = tensor.scalar_type() == at::kHalf || tensor.scalar_type() == at::kFloat;
      // A number on its own works beside any tensor, and without data nobody could count by it.
      bool is_number = device.is_meta() && tensor.dim() == 0;
      wanted = tensor.to(is_number ? at::kCPU : device, is_weight ? type : tensor.scalar_type());
    } else {
      continue;
    }
    torch::jit::WithInsertPoint before(node);
    node->output()->replaceAllUsesWith(graph.insertConstant(wanted));
    replaced.push_back(node);
  }
  for (Node *node : replaced) node->destroy();
}

// Casts to f32 that stand in the code of a file become casts to the type that it is to compute in.
void prepare_casts(Graph &graph, at::ScalarType type) {
  if (type == at::kFloat) return;
  for (Node *node : graph.block()->nodes()) {
    const auto *schema = node->maybeSchema();
    if (!schema) continue;
    for (size_t i = 0; i < node->inputs().size() && i < schema->arguments().size(); ++i) {
      if (schema->arguments()[i].name() != "dtype") continue;
      auto value = torch::jit::toIValue(node->input(i));
      if (!value || !value->isInt() || value->toInt() != static_cast<int64_t>(at::kFloat)) continue;
      torch::jit::WithInsertPoint before(node);
      node->replaceInput(i, graph.insertConstant(static_cast<int64_t>(type)));
    }
  }
}

// The tensor that a chain of attributes of the module leads to; undefined if `value` is something else.
at::Tensor attribute_of(const torch::jit::Module &module, Value *value) {
  std::vector<std::string> names;
  for (; value->node()->kind() == prim::GetAttr; value = value->node()->input())
    names.push_back(value->node()->s(c10::attr::name));
  if (value->node()->kind() != prim::Param || value->offset() != 0) return {};
  c10::IValue found = module._ivalue();
  for (auto name = names.rbegin(); name != names.rend(); ++name) found = found.toObject()->getAttr(*name);
  return found.isTensor() ? found.toTensor() : at::Tensor();
}

// The part of a picture [1, C, h, w] outside of which there are zeros, in rows and columns; ends lie behind the last.
struct Part {
  int64_t top, bottom, left, right;

  bool is_empty() const { return top >= bottom; }
  int64_t area() const { return (bottom - top) * (right - left); }

  // `picture`: f32 on a CPU, channels_last. Where nothing is zero, one look at each edge is enough.
  static Part of(const at::Tensor &picture) {
    int64_t channels = picture.size(1), height = picture.size(2), width = picture.size(3);
    const float *values = picture.const_data_ptr<float>();
    auto is_zero = [&](int64_t row, int64_t column, int64_t columns) {
      const float *first = values + (row * width + column) * channels;
      return std::all_of(first, first + columns * channels, [](float value) { return value == 0; });
    };
    Part part{0, height, width, 0};
    while (part.top < height && is_zero(part.top, 0, width)) ++part.top;
    while (part.bottom > part.top && is_zero(part.bottom - 1, 0, width)) --part.bottom;
    for (int64_t row = part.top; row < part.bottom; ++row) {
      int64_t left = 0, right = width;
      while (left < part.left && is_zero(row, left, 1)) ++left;
      while (right > part.right && is_zero(row, right - 1, 1)) --right;
      part.left = std::min(part.left, left);
      part.right = std::max(part.right, right);
    }
    return part;
  }
};

// A convolution of f32 on a CPU.
//
// 1x1 convolutions are always oneDNN's, forwards and backwards: with a single thread libtorch leaves it out of them, although it is
// up to 1.3 times faster for a whole network. Backwards only the part of the gradient that is not zero is computed with: that of a
// box lies in what its cell sees, and a backward pass takes two thirds of the time.
class Convolution : public torch::autograd::Function<Convolution> {
 public:
  struct Shape {
    std::vector<int64_t> stride, padding, dilation;
    int64_t groups;

    bool is_plain() const {
      auto is_all = [](const std::vector<int64_t> &values, int64_t wanted) {
        return std::all_of(values.begin(), values.end(), [&](int64_t value) { return value == wanted; });
      };
      return is_all(stride, 1) && is_all(padding, 0) && is_all(dilation, 1) && groups == 1;
    }
  };

  static at::Tensor run(const at::Tensor &input, const at::Tensor &weight, const std::optional<at::Tensor> &bias,
                        const Shape &shape) {
    if (is_pointwise(weight, shape))
      return at::mkldnn_convolution(input.contiguous(at::MemoryFormat::ChannelsLast), weight, bias, shape.padding,
                                    shape.stride, shape.dilation, shape.groups);
    return at::convolution(input, weight, bias, shape.stride, shape.padding, shape.dilation, /*transposed=*/false,
                           /*output_padding=*/{0, 0}, shape.groups);
  }

  static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &input,
                            const at::Tensor &weight, const std::optional<at::Tensor> &bias, const Shape &shape) {
    context->save_for_backward({weight});
    context->saved_data["input"] = input.sizes();
    context->saved_data["stride"] = shape.stride;
    context->saved_data["padding"] = shape.padding;
    context->saved_data["dilation"] = shape.dilation;
    context->saved_data["groups"] = shape.groups;
    return run(input, weight, bias, shape);
  }

  // To the input alone: weights take no part in autograd.
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                 torch::autograd::variable_list gradients) {
    auto weight = context->get_saved_variables()[0];
    auto ints = [&](const char *name) { return context->saved_data[name].toIntVector(); };
    Shape shape{ints("stride"), ints("padding"), ints("dilation"), context->saved_data["groups"].toInt()};
    auto gradient = gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
    return {to_input(gradient, ints("input"), weight, shape), at::Tensor(), at::Tensor(), at::Tensor()};
  }

 private:
  static bool is_pointwise(const at::Tensor &weight, const Shape &shape) {
    return weight.size(2) == 1 && weight.size(3) == 1 && shape.is_plain();
  }

  static at::Tensor to_input(const at::Tensor &gradient, const std::vector<int64_t> &size, const at::Tensor &weight,
                             const Shape &shape) {
    if (gradient.size(0) != 1) return whole(gradient, size, weight, shape);
    auto part = Part::of(gradient);
    // With less to gain, copying takes more than it saves.
    if (4 * part.area() > 3 * gradient.size(2) * gradient.size(3)) return whole(gradient, size, weight, shape);
    auto result = at::empty(size, gradient.options(), at::MemoryFormat::ChannelsLast).zero_();
    if (part.is_empty()) return result;
    auto crop = gradient.narrow(2, part.top, part.bottom - part.top).narrow(3, part.left, part.right - part.left);
    // What the part is computed from, with the padding where that lies at an edge.
    auto first = [&](size_t axis, int64_t at) { return at * shape.stride[axis] - shape.padding[axis]; };
    auto length = [&](size_t axis, int64_t count) {
      return (count - 1) * shape.stride[axis] + (weight.size(2 + axis) - 1) * shape.dilation[axis] + 1;
    };
    int64_t row = first(0, part.top), rows = length(0, part.bottom - part.top);
    int64_t column = first(1, part.left), columns = length(1, part.right - part.left);
    int64_t top = std::max<int64_t>(row, 0), bottom = std::min(row + rows, size[2]);
    int64_t left = std::max<int64_t>(column, 0), right = std::min(column + columns, size[3]);
    // Nothing but padding.
    if (top >= bottom || left >= right) return result;
    Shape unpadded{shape.stride, {0, 0}, shape.dilation, shape.groups};
    auto found = whole(crop.contiguous(at::MemoryFormat::ChannelsLast), {1, size[1], rows, columns}, weight, unpadded);
    auto inside = found.narrow(2, top - row, bottom - top).narrow(3, left - column, right - left);
    result.narrow(2, top, bottom - top).narrow(3, left, right - left).copy_(inside);
    return result;
  }

  // Of an input of that size.
  static at::Tensor whole(const at::Tensor &gradient, const std::vector<int64_t> &size, const at::Tensor &weight,
                          const Shape &shape) {
    if (is_pointwise(weight, shape) && at::get_num_threads() == 1) {
      auto turned = weight.flatten(1).t().contiguous().view({weight.size(1), weight.size(0), 1, 1});
      return run(gradient, turned, std::nullopt, shape);
    }
    // Of the input nothing but its size is looked at.
    auto input = at::empty(size, gradient.options(), at::MemoryFormat::ChannelsLast);
    return std::get<0>(at::convolution_backward(gradient, input, weight, /*bias_sizes=*/std::nullopt, shape.stride,
                                                shape.padding, shape.dilation, /*transposed=*/false,
                                                /*output_padding=*/{0, 0}, shape.groups, {true, false, false}));
  }
};

const torch::jit::RegisterOperators convolution_operator({torch::jit::Operator(
    "yolo_cam::convolution(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, "
    "int groups) -> Tensor",
    [](torch::jit::Stack &stack) {
      // One number may stand for both sides.
      auto pop_pair = [&] {
        auto pair = torch::jit::pop(stack).toIntVector();
        if (pair.size() == 1) pair.push_back(pair[0]);
        TORCH_CHECK(pair.size() == 2, "a convolution has ", pair.size(), " numbers for the sides of a picture");
        return pair;
      };
      auto groups = torch::jit::pop(stack).toInt();
      auto dilation = pop_pair(), padding = pop_pair(), stride = pop_pair();
      auto bias = torch::jit::pop(stack).toOptional<at::Tensor>();
      auto weight = torch::jit::pop(stack).toTensor();
      auto input = torch::jit::pop(stack).toTensor();
      Convolution::Shape shape{stride, padding, dilation, groups};
      bool is_recorded = at::GradMode::is_enabled() && input.requires_grad();
      torch::jit::push(stack, is_recorded ? Convolution::apply(input, weight, bias, shape)
                                          : Convolution::run(input, weight, bias, shape));
    },
    c10::AliasAnalysisKind::FROM_SCHEMA)});

// Puts ours in the place of the network's convolutions.
void use_own_convolutions(Graph &graph, const torch::jit::Module &module, c10::Device device) {
  if (!device.is_cpu() || !at::hasMKLDNN() || !at::globalContext().userEnabledMkldnn()) return;
  static const auto traced = c10::Symbol::fromQualString("aten::_convolution");
  static const auto own = c10::Symbol::fromQualString("yolo_cam::convolution");
  std::vector<Node *> replaced;
  for (Node *node : graph.block()->nodes()) {
    bool is_traced = node->kind() == traced;
    if (!is_traced && node->kind() != aten::conv2d) continue;
    auto operand = [&](const char *name) { return node->namedInput(name); };
    bool is_transposed = is_traced && torch::jit::constant_as<bool>(operand("transposed")).value_or(true);
    // Of conv2d one variant has its padding as a word.
    if (is_transposed || operand("padding")->type()->kind() != c10::TypeKind::ListType) continue;
    auto weight = attribute_of(module, operand("weight"));
    if (!weight.defined() || weight.dim() != 4 || weight.scalar_type() != at::kFloat) continue;
    torch::jit::WithInsertPoint before(node);
    std::vector<torch::jit::NamedValue> operands;
    for (const char *name : {"input", "weight", "bias", "stride", "padding", "dilation", "groups"})
      operands.emplace_back(name, operand(name));
    node->output()->replaceAllUsesWith(graph.insert(own, {}, operands));
    replaced.push_back(node);
  }
  for (Node *node : replaced) node->destroy();
}

// From the last one on: those behind an erased one are renumbered, and thousands may be the same value.
void erase_outputs(Graph &graph, size_t kept = 0) {
  while (graph.outputs().size() > kept) graph.eraseOutput(graph.outputs().size() - 1);
}

std::string join(const std::string &scope, const std::string &name) {
  return scope.empty() ? name : scope + "." + name;
}

std::string last_of(const std::string &path) { return path.substr(path.rfind('.') + 1); }

bool lies_in(const std::string &path, const std::string &scope) {
  return scope.empty() || path.compare(0, scope.size() + 1, scope + ".") == 0;
}

bool is_tensor(const Node *call) {
  return call->outputs().size() == 1 && call->output()->type()->isSubtypeOf(*c10::TensorType::get());
}

// The tensor that a one-tensor call works on: the last argument, since shared activations come before it.
Value *input_of(Node *call) { return call->inputs().back(); }

// The first node with blocks of its own, prim::If or prim::Loop; null if there is none.
const Node *nested_node(const Graph &graph) {
  for (const Node *node : graph.nodes())
    if (!node->blocks().empty()) return node;
  return nullptr;
}

// A node behind each call that gives one tensor. It passes that tensor on, and also knows what the call was given:
// output = mark(output of the call, input of the call). No such node is ever run.
const c10::Symbol mark_kind = c10::Symbol::fromQualString("yolo_cam::mark");
// Which call it is.
const c10::Symbol mark_index = c10::Symbol::attr("index");

struct Call {
  std::string path;
  std::string type;
};

}  // namespace

// A copy of a module's forward graph with all module calls inlined and marked.
struct ExpandedGraph {
  std::shared_ptr<Graph> graph;
  // In order of execution, an outer call before those inside it.
  std::vector<Call> calls;
  std::unordered_map<std::string, size_t> index_of;
};

namespace {

class Expansion {
 public:
  static std::shared_ptr<const ExpandedGraph> of(const yc_module &source) {
    Expansion expansion(source);
    expansion.name_calls();
    return std::make_shared<const ExpandedGraph>(std::move(expansion.expanded_));
  }

 private:
  // A call of a module, whatever it gives.
  struct Made {
    // The module, by the attributes that lead to it.
    std::string owner;
    // The call that it is made in; -1 for the network's own forward.
    int64_t caller;
    // Among the calls that give one tensor; -1 if it is none.
    int64_t index;
  };

  explicit Expansion(const yc_module &source) {
    auto graph = expanded_.graph = source.module.get_method("forward").graph()->copy();
    paths_[graph->inputs().at(0)] = "";
    auto *block = graph->block();
    expand(*block->nodes().begin(), block->return_node(), -1);
  }

  void expand(Node *first, Node *end, int64_t caller) {
    for (Node *node = first; node != end;) {
      Node *next = node->next();
      if (node->kind() == prim::GetAttr) {
        auto owner = paths_.find(node->input());
        if (owner != paths_.end()) paths_[node->output()] = join(owner->second, node->s(c10::attr::name));
      } else if (node->kind() == prim::CallMethod) {
        inline_call(node, caller);
      } else if (node->kind() == aten::detach) {
        // For training only: some heads keep the gradient of their second branch off the rest, which we want to see.
        node->output()->replaceAllUsesWith(node->input());
      }
      node = next;
    }
  }

  void inline_call(Node *node, int64_t caller) {
    Value *receiver = node->input(0);
    auto type = receiver->type()->expect<c10::ClassType>();
    auto owner = paths_.find(receiver);
    if (owner == paths_.end()) throw std::runtime_error("the forward graph calls a module that is no attribute");
    auto number = static_cast<int64_t>(made_.size());
    made_.push_back({owner->second, caller, -1});

    Node *before = node->prev();
    Node *end = node->next();
    if (is_tensor(node)) {
      made_.back().index = static_cast<int64_t>(expanded_.calls.size());
      end = mark(node, type->name() ? type->name()->name() : "?");
    }
    auto &function = type->getMethod(node->s(c10::attr::name));
    auto *graph_function = torch::jit::tryToGraphFunction(function);
    if (!graph_function) throw std::runtime_error("the forward graph calls a function that has no graph");
    // The plain graph: in the optimized one the inner calls are gone.
    torch::jit::inlineCallTo(node, graph_function, graph_function->graph().get());
    expand(before->next(), end, number);
  }

  Node *mark(Node *call, const std::string &type) {
    Graph &graph = *expanded_.graph;
    Node *mark = graph.create(mark_kind, {call->output(), input_of(call)});
    mark->i_(mark_index, static_cast<int64_t>(expanded_.calls.size()))->insertAfter(call);
    mark->output()->setType(call->output()->type());
    call->output()->replaceAllUsesAfterNodeWith(mark, mark->output());
    expanded_.calls.push_back({"", type});
    return mark;
  }

  // Names each call by the module that is called. But one activation module may serve all convolutions; the trace hands it
  // around as an argument. Users know it by the place of the call: `X.act` is the activation that is called inside X. What is
  // handed to one place alone, as parts of a head to its decoder, keeps its own name.
  void name_calls() {
    std::unordered_map<std::string, std::set<int64_t>> callers;
    for (const auto &made : made_) callers[made.owner].insert(made.caller);
    std::vector<std::string> paths;
    std::unordered_map<std::string, size_t> times_called;
    for (const auto &made : made_) {
      std::string scope = made.caller < 0 ? "" : paths[made.caller];
      bool is_own = lies_in(made.owner, scope) || callers[made.owner].size() == 1;
      std::string path = is_own ? made.owner : join(scope, last_of(made.owner));
      size_t times = ++times_called[path];
      if (times > 1) path += "#" + std::to_string(times);
      if (made.index >= 0) {
        expanded_.index_of[path] = made.index;
        expanded_.calls[made.index].path = path;
      }
      paths.push_back(std::move(path));
    }
  }

  ExpandedGraph expanded_;
  std::unordered_map<const Value *, std::string> paths_;
  std::vector<Made> made_;
};

const ExpandedGraph &expanded(const yc_module &module) {
  if (!module.expanded) module.expanded = Expansion::of(module);
  return *module.expanded;
}

// What a call gives and is given, in a graph without marks.
struct CallValues {
  Value *output = nullptr, *input = nullptr;
};

// Drops what the outputs of `graph` don't need, and fits the rest to the device that it runs on.
void finish(const std::shared_ptr<Graph> &graph, const yc_module &module) {
  torch::jit::EliminateDeadCode(graph);
  prepare_constants(*graph, module.device, module.type);
  prepare_casts(*graph, module.type);
  use_own_convolutions(*graph, module.module, module.device);
  graph->lint();
}

// A copy of the expanded graph without its marks. `tap`, if given, sees each call as its mark goes, and returns what takes the
// place of the call's output from there on; it may insert nodes before the mark.
struct UnmarkedGraph {
  using Tap = std::function<Value *(Graph &, size_t call, Node *mark)>;

  explicit UnmarkedGraph(const ExpandedGraph &source, const Tap &tap = nullptr)
      : graph(source.graph->copy()), calls(source.calls.size()) {
    for (auto node = graph->nodes().begin(); node != graph->nodes().end();) {
      Node *mark = *node;
      ++node;
      if (mark->kind() != mark_kind) continue;
      size_t call = static_cast<size_t>(mark->i(mark_index));
      calls[call] = {mark->input(0), mark->input(1)};
      Value *replacement = tap ? tap(*graph, call, mark) : mark->input(0);
      mark->output()->replaceAllUsesWith(replacement);
      mark->destroy();
    }
  }

  // Puts `values` in the place of its outputs.
  void give(const std::vector<Value *> &values) {
    erase_outputs(*graph);
    for (Value *value : values) graph->registerOutput(value);
  }

  std::shared_ptr<Graph> graph;
  std::vector<CallValues> calls;
};

// The calls named by `paths`, in that order.
std::vector<size_t> find_calls(const ExpandedGraph &expanded, const std::vector<std::string> &paths) {
  std::vector<size_t> found;
  for (const auto &path : paths) {
    auto call = expanded.index_of.find(path);
    if (call != expanded.index_of.end()) {
      found.push_back(call->second);
      continue;
    }
    std::string problem = "its forward graph does not call " + path;
    // Calls in a branch are run, but not inlined.
    if (const Node *nested = nested_node(*expanded.graph))
      problem += std::string(" outside of a ") + nested->kind().toQualString();
    throw std::runtime_error(problem);
  }
  return found;
}

std::vector<size_t> find_calls(const ExpandedGraph &expanded, const char *const *paths, size_t n) {
  return find_calls(expanded, std::vector<std::string>(paths, paths + n));
}

// The raw outputs of a network: what calls give, or, where YC_GIVEN stands before the path, what they are given.
class RawOutputs {
 public:
  RawOutputs(const ExpandedGraph &expanded, const char *const *paths, size_t n) {
    std::vector<std::string> calls;
    for (size_t i = 0; i < n; ++i) {
      is_given_.push_back(paths[i][0] == YC_GIVEN);
      calls.emplace_back(paths[i] + (is_given_.back() ? 1 : 0));
    }
    calls_ = find_calls(expanded, calls);
  }

  std::vector<Value *> of(const UnmarkedGraph &unmarked) const {
    std::vector<Value *> values;
    for (size_t i = 0; i < calls_.size(); ++i) {
      const auto &call = unmarked.calls[calls_[i]];
      values.push_back(is_given_[i] ? call.input : call.output);
    }
    return values;
  }

 private:
  std::vector<size_t> calls_;
  std::vector<bool> is_given_;
};

// What gradients reach, and what later nodes use in its place: a clone, so that an in-place activation can't change it.
struct GradientTap {
  Value *tapped, *clone;
};

// Makes `output` take part in autograd: as a leaf if nothing before it does (weights don't), else as one more step. What is
// tapped is an alias, so that whatever else shares its memory stays out.
GradientTap insert_gradient(Graph &graph, Node *before, Value *output) {
  torch::jit::WithInsertPoint here(before);
  Value *alias = graph.insert(aten::alias, {output});
  Value *tapped = graph.insert(aten::requires_grad_, {alias, true});
  return {tapped, graph.insert(aten::clone, {tapped})};
}

// What the nodes in a node's blocks use of the values outside, and these themselves.
template <class F>
void for_each_use(Node *node, F use) {
  for (Value *input : node->inputs()) use(input);
  for (auto *block : node->blocks()) {
    for (Node *inner : block->nodes()) for_each_use(inner, use);
    for (Value *output : block->outputs()) use(output);
  }
}

// For each value the ones of `outputs` that are computed from it, as bits: found by walking the graph backwards.
std::unordered_map<const Value *, uint64_t> outputs_fed_by(Graph &graph, const std::vector<Value *> &outputs) {
  std::unordered_map<const Value *, uint64_t> bits;
  for (size_t i = 0; i < outputs.size(); ++i) bits[outputs[i]] |= uint64_t{1} << i;
  for (Node *node : graph.block()->nodes().reverse()) {
    uint64_t fed = 0;
    for (Value *output : node->outputs()) fed |= bits[output];
    if (!fed) continue;
    for_each_use(node, [&](Value *input) { bits[input] |= fed; });
  }
  return bits;
}

// Runs `executor` as it is: the profiling executor makes the first calls several times slower, and every call here may be
// the last.
void run(torch::jit::GraphExecutor &executor, torch::jit::Stack &stack) {
  torch::jit::GraphOptimizerEnabledGuard no_profiling(false);
  executor.run(stack);
}

// Everything that a network's forward calls, however deep: operators by name and kind of result, and how many calls there
// are once each is counted as often as it is made.
class Survey {
 public:
  explicit Survey(size_t max_calls) : max_calls_(max_calls) {}

  // Returns how many calls `function` makes, itself included.
  size_t calls(torch::jit::Function &function) {
    auto known = calls_.find(&function);
    if (known != calls_.end()) {
      TORCH_CHECK(known->second > 0, "it calls itself");
      return known->second;
    }
    auto *graph_function = torch::jit::tryToGraphFunction(function);
    TORCH_CHECK(graph_function, "it calls a function that has no graph");
    calls_[&function] = 0;
    size_t calls = 1 + calls_in(graph_function->graph()->block());
    TORCH_CHECK(calls <= max_calls_, "it makes more than ", max_calls_, " calls of modules and functions");
    return calls_[&function] = calls;
  }

  std::set<std::pair<std::string, std::string>> operators;

 private:
  size_t calls_in(torch::jit::Block *block) {
    size_t calls = 0;
    for (Node *node : block->nodes()) {
      if (node->outputs().empty()) operators.emplace(node->kind().toQualString(), "NoneType");
      for (Value *output : node->outputs())
        operators.emplace(node->kind().toQualString(), c10::typeKindToString(output->type()->kind()));
      if (node->kind() == prim::CallMethod) {
        auto type = node->input(0)->type()->cast<c10::ClassType>();
        TORCH_CHECK(type, "it calls a method of something that is no module");
        calls += this->calls(type->getMethod(node->s(c10::attr::name)));
      } else if (node->kind() == prim::CallFunction) {
        auto type = node->input(0)->type()->cast<c10::FunctionType>();
        TORCH_CHECK(type, "it calls something that is no function");
        calls += this->calls(*type->function());
      }
      for (auto *inner : node->blocks()) calls += calls_in(inner);
      TORCH_CHECK(calls <= max_calls_, "it makes more than ", max_calls_, " calls of modules and functions");
    }
    return calls;
  }

  size_t max_calls_;
  std::unordered_map<const torch::jit::Function *, size_t> calls_;
};

// Copies the tensors on a stack out.
void give(const torch::jit::Stack &stack, size_t n, yc_tensor **outputs) {
  TORCH_CHECK(stack.size() == n, "the graph gave ", stack.size(), " outputs instead of ", n);
  for (size_t i = 0; i < n; ++i)
    TORCH_CHECK(stack[i].isTensor(), "output ", i, " of the graph is no tensor but ", stack[i].tagKind());
  for (size_t i = 0; i < n; ++i) outputs[i] = new at::Tensor(stack[i].toTensor());
}

// All values that are computed from `root`, itself included, in a graph without branches.
std::unordered_set<const Value *> computed_from(Graph &graph, const Value *root) {
  if (const Node *nested = nested_node(graph))
    throw std::runtime_error(std::string("its graph has a ") + nested->kind().toQualString() +
                             ", and only a graph without branches can be cut in two");
  std::unordered_set<const Value *> found{root};
  for (Node *node : graph.block()->nodes()) {
    for (Value *input : node->inputs()) {
      if (!found.count(input)) continue;
      for (Value *output : node->outputs()) found.insert(output);
      break;
    }
  }
  return found;
}

// Weights and constants: both halves of a graph have their own.
bool is_fixed(const Value *value) {
  auto kind = value->node()->kind();
  return kind == prim::GetAttr || kind == prim::Constant || (kind == prim::Param && value->offset() == 0);
}

// The part of `graph` that gives `values`.
std::shared_ptr<Graph> part_that_gives(const std::shared_ptr<Graph> &graph, const std::vector<Value *> &values) {
  auto part = graph->copy();
  // The copy has the same nodes in the same order.
  std::unordered_map<const Value *, Value *> copies;
  for (size_t i = 0; i < graph->inputs().size(); ++i) copies[graph->inputs()[i]] = part->inputs()[i];
  auto copy = part->nodes().begin();
  for (Node *node : graph->nodes()) {
    for (size_t i = 0; i < node->outputs().size(); ++i) copies[node->outputs()[i]] = copy->outputs()[i];
    ++copy;
  }
  erase_outputs(*part);
  for (Value *value : values) part->registerOutput(copies.at(value));
  torch::jit::EliminateDeadCode(part);
  return part;
}

}  // namespace

extern "C" {

yc_module *yc_module_load(const char *path, const char *device, char **config, char **error) {
  return guarded(error, nullptr, [&]() -> yc_module * {
    c10::Device target(device);
    torch::jit::ExtraFilesMap extra{{"config.txt", ""}};
    auto module = torch::jit::load(path, target, extra, /*load_debug_files=*/false);
    const auto &text = extra["config.txt"];
    *config = text.empty() ? nullptr : strdup(text.c_str());
    return new yc_module{std::move(module), target, nullptr};
  });
}

int yc_module_prepare(yc_module *module, char **error) {
  return guarded(error, -1, [&] {
    module->module.eval();
    prepare_weights(module->module);
    return 0;
  });
}

int yc_module_operators(const yc_module *module, size_t max_calls, void *context, yc_operator_visitor visit,
                        char **error) {
  return guarded(error, -1, [&] {
    Survey survey(max_calls);
    survey.calls(module->module.get_method("forward").function());
    for (const auto &[name, result] : survey.operators) visit(context, name.c_str(), result.c_str());
    return 0;
  });
}

void yc_module_free(yc_module *module) { delete module; }

yc_module *yc_module_share(const yc_module *module, char **error) {
  return guarded(error, nullptr, [&] { return new yc_module(*module); });
}

yc_module *yc_module_copy(const yc_module *module, int without_data, char **error) {
  return guarded(error, nullptr, [&]() -> yc_module * {
    std::lock_guard lock(graph_copying);
    torch::NoGradGuard no_grad;
    expanded(*module);
    if (without_data) return new yc_module{module->module.deepcopy(c10::kMeta), c10::kMeta, module->expanded};
    return new yc_module{module->module.deepcopy(), module->device, module->expanded};
  });
}

yc_module *yc_module_rounded(const yc_module *module, char **error) {
  return guarded(error, nullptr, [&]() -> yc_module * {
    std::lock_guard lock(graph_copying);
    torch::NoGradGuard no_grad;
    expanded(*module);
    auto copy = module->module.deepcopy();
    for_each_tensor(copy, [](at::Tensor tensor) {
      if (tensor.is_floating_point()) tensor.set_data(tensor.to(at::kBFloat16));
    });
    return new yc_module{copy, module->device, module->expanded, at::kBFloat16};
  });
}

int yc_module_save(const yc_module *module, const char *path, const char *config, int half, char **error) {
  return guarded(error, -1, [&] {
    std::lock_guard lock(graph_copying);
    torch::NoGradGuard no_grad;
    auto copy = module->module.deepcopy();
    for_each_tensor(copy, [&](at::Tensor tensor) {
      auto type = half && tensor.is_floating_point() ? at::kHalf : tensor.scalar_type();
      tensor.set_data(tensor.to(at::kCPU, type).contiguous());
    });
    copy.save(path, {{"config.txt", config}});
    return 0;
  });
}

yc_builder *yc_builder_new(char **error) {
  return guarded(error, nullptr, [] { return new yc_builder; });
}

void yc_builder_free(yc_builder *builder) { delete builder; }

int yc_builder_module(yc_builder *builder, const char *type, char **error) {
  return guarded(error, -1, [&] {
    c10::QualifiedName name(std::string("__torch__.") + type);
    builder->modules.emplace_back(name, builder->unit, /*shouldMangle=*/true);
    // What eval() sets, also in who loads the module once it is saved.
    builder->modules.back().register_attribute("training", c10::BoolType::get(), false);
    return 0;
  });
}

int yc_builder_child(yc_builder *builder, size_t parent, const char *name, size_t child, char **error) {
  return guarded(error, -1, [&] {
    builder->modules.at(parent).register_module(name, builder->modules.at(child));
    return 0;
  });
}

int yc_builder_tensor(yc_builder *builder, size_t module, const char *name, const yc_tensor *tensor, int is_buffer,
                      char **error) {
  return guarded(error, -1, [&] {
    // One by one, so that the weights are never there in both forms.
    builder->modules.at(module).register_parameter(name, prepared(tensor->requires_grad_(false)), is_buffer);
    return 0;
  });
}

int yc_builder_define(yc_builder *builder, size_t module, const char *source, char **error) {
  return guarded(error, -1, [&] {
    builder->modules.at(module).define(source);
    return 0;
  });
}

yc_module *yc_builder_finish(yc_builder *builder, size_t root, const char *device, char **error) {
  return guarded(error, nullptr, [&]() -> yc_module * {
    c10::Device target(device);
    auto module = builder->modules.at(root);
    module.to(target);
    return new yc_module{std::move(module), target, nullptr};
  });
}

int yc_module_tensors(const yc_module *module, void *context, yc_tensor_visitor visit, char **error) {
  return guarded(error, -1, [&] {
    for (const auto &item : module->module.named_parameters())
      visit(context, item.name.c_str(), new at::Tensor(item.value));
    for (const auto &item : module->module.named_buffers())
      visit(context, item.name.c_str(), new at::Tensor(item.value));
    return 0;
  });
}

int yc_module_classes(const yc_module *module, void *context, yc_class_visitor visit, char **error) {
  return guarded(error, -1, [&] {
    for (const auto &item : module->module.named_modules()) {
      const auto &name = item.value.type()->name();
      if (name) visit(context, item.name.c_str(), name->name().c_str());
    }
    return 0;
  });
}

int yc_module_calls(const yc_module *module, const char *const *outputs, size_t n_outputs, const char *const *starts,
                    size_t n_starts, void *context, yc_call_visitor visit, char **error) {
  return guarded(error, -1, [&] {
    std::lock_guard lock(graph_copying);
    const auto &source = expanded(*module);
    RawOutputs wanted(source, outputs, n_outputs);
    auto started = find_calls(source, starts, n_starts);
    UnmarkedGraph unmarked(source);
    auto values = wanted.of(unmarked);
    auto bits = outputs_fed_by(*unmarked.graph, values);
    for (size_t i = 0; i < source.calls.size(); ++i) {
      Value *value = unmarked.calls[i].output;
      uint64_t feeds = 0;
      for (size_t start = 0; start < n_starts; ++start)
        if (unmarked.calls[started[start]].input == value) feeds |= uint64_t{1} << start;
      visit(context, source.calls[i].path.c_str(), source.calls[i].type.c_str(), bits[value], feeds);
    }
    return 0;
  });
}

yc_graph *yc_graph_new(const yc_module *module, const char *const *outputs, size_t n_outputs,
                       const char *const *starts, size_t n_starts, const char *const *taps, size_t n_taps,
                       int gradients, char **error) {
  return guarded(error, nullptr, [&]() -> yc_graph * {
    std::lock_guard lock(graph_copying);
    const auto &source = expanded(*module);
    RawOutputs wanted(source, outputs, n_outputs);
    auto started = find_calls(source, starts, n_starts);
    auto tapped = find_calls(source, taps, n_taps);
    std::unordered_map<size_t, Value *> reached;
    UnmarkedGraph unmarked(source, [&](Graph &graph, size_t call, Node *mark) {
      bool is_tapped = gradients && std::find(tapped.begin(), tapped.end(), call) != tapped.end();
      if (!is_tapped) return mark->input(0);
      auto tap = insert_gradient(graph, mark, mark->input(0));
      reached[call] = tap.tapped;
      return tap.clone;
    });
    auto values = wanted.of(unmarked);
    for (size_t call : started) values.push_back(unmarked.calls[call].input);
    for (size_t call : tapped) values.push_back(gradients ? reached.at(call) : unmarked.calls[call].output);
    // With the module's own outputs gone, the decoding and the grid that was baked into it go too.
    unmarked.give(values);
    finish(unmarked.graph, *module);
    return new yc_graph{torch::jit::GraphExecutor(unmarked.graph, "forward"), module->module, values.size(),
                        module->device};
  });
}

yc_graph *yc_graph_between(const yc_module *module, const char *start, const char *output, char **error) {
  return guarded(error, nullptr, [&]() -> yc_graph * {
    std::lock_guard lock(graph_copying);
    const auto &source = expanded(*module);
    size_t from = find_calls(source, &start, 1)[0], to = find_calls(source, &output, 1)[0];
    UnmarkedGraph unmarked(source);
    auto graph = unmarked.graph;
    // Its old input stays until it is known that nothing needs it.
    Value *given = graph->addInput()->setType(c10::TensorType::get());
    unmarked.calls[from].input->replaceAllUsesWith(given);
    unmarked.give({unmarked.calls[to].output});
    // What works in place is no dead code to libtorch, even where nobody uses its result. A trace uses the results.
    std::vector<Node *> nodes(graph->nodes().begin(), graph->nodes().end());
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node)
      if (!(*node)->hasUses()) (*node)->destroy();
    finish(graph, *module);
    if (given->uses().empty() || graph->inputs().size() != 3 || !graph->inputs()[1]->uses().empty())
      throw std::runtime_error(std::string(output) + " is not computed from the input of " + start + " alone");
    graph->eraseInput(1);
    return new yc_graph{torch::jit::GraphExecutor(graph, "between"), module->module, 1, module->device};
  });
}

void yc_graph_free(yc_graph *graph) { delete graph; }

int yc_graph_run(yc_graph *graph, const yc_tensor *input, size_t most, size_t all, yc_tensor **outputs, char **error) {
  return guarded(error, -1, [&] {
    Bound bound(most, all);
    bool has_data = !graph->device.is_meta();
    torch::jit::Stack stack{graph->module._ivalue(), has_data ? *input : input->to(graph->device)};
    if (has_data) {
      run(graph->executor, stack);
    } else {
      Tally tally;
      run(graph->executor, stack);
      tally.check(most, all);
    }
    give(stack, graph->n_outputs, outputs);
    return 0;
  });
}

yc_tail *yc_tail_new(const yc_module *module, const char *const *outputs, size_t n_outputs, const char *tap,
                     char **error) {
  return guarded(error, nullptr, [&]() -> yc_tail * {
    std::lock_guard lock(graph_copying);
    const auto &source = expanded(*module);
    RawOutputs wanted(source, outputs, n_outputs);
    size_t tapped = find_calls(source, &tap, 1)[0];
    Node *clone = nullptr;
    UnmarkedGraph unmarked(source, [&](Graph &graph, size_t call, Node *mark) {
      if (call != tapped) return mark->input(0);
      torch::jit::WithInsertPoint before(mark);
      clone = graph.insert(aten::clone, {mark->input(0)})->node();
      return clone->output();
    });
    auto graph = unmarked.graph;
    auto values = wanted.of(unmarked);
    // The clone has to stay, whatever is computed from it.
    values.push_back(clone->output());
    unmarked.give(values);
    finish(graph, *module);

    auto behind = computed_from(*graph, clone->output());
    // The rest is the same for any picture, and any number of them: both halves have it, as they have weights.
    auto of_picture = computed_from(*graph, graph->inputs().at(1));
    std::vector<Value *> crossing;
    auto cross = [&](Value *value) {
      bool is_known = behind.count(value) || is_fixed(value) || !of_picture.count(value) ||
                      std::find(crossing.begin(), crossing.end(), value) != crossing.end();
      if (!is_known) crossing.push_back(value);
    };
    for (Node *node : graph->nodes()) {
      if (node == clone || node->outputs().empty() || !behind.count(node->outputs()[0])) continue;
      for (Value *input : node->inputs()) cross(input);
    }
    for (size_t i = 0; i < n_outputs; ++i) cross(graph->outputs()[i]);

    auto given = crossing;
    given.push_back(clone->input(0));
    auto before = part_that_gives(graph, given);
    for (Value *value : crossing) {
      Value *input = graph->addInput()->setType(value->type());
      value->replaceAllUsesWith(input);
    }
    clone->output()->replaceAllUsesWith(graph->addInput()->setType(c10::TensorType::get()));
    erase_outputs(*graph, n_outputs);
    torch::jit::EliminateDeadCode(graph);
    // It keeps what may change a tensor in place, and with it all that this tensor is computed from: such nodes before the layer
    // ran in `before` already.
    for (auto it = graph->nodes().rbegin(); it != graph->nodes().rend();) {
      Node *node = *it;
      ++it;
      auto stays = [&](Value *value) { return value->hasUses() || behind.count(value) || is_fixed(value); };
      bool is_before = !node->outputs().empty() && std::none_of(node->outputs().begin(), node->outputs().end(), stays);
      if (is_before) node->destroy();
    }
    graph->lint();
    return new yc_tail{torch::jit::GraphExecutor(before, "before"), torch::jit::GraphExecutor(graph, "after"),
                       module->module, n_outputs, {}};
  });
}

yc_tensor *yc_module_decode(const yc_module *module, const char *const *outputs, size_t n_outputs,
                            const yc_tensor *input, const yc_tensor *const *raw, size_t most, size_t all,
                            char **error) {
  return guarded(error, nullptr, [&]() -> yc_tensor * {
    std::shared_ptr<Graph> graph;
    {
      std::lock_guard lock(graph_copying);
      const auto &source = expanded(*module);
      RawOutputs wanted(source, outputs, n_outputs);
      UnmarkedGraph unmarked(source);
      graph = unmarked.graph;
      // Of several outputs the first holds the boxes; behind it there may be masks, or the raw outputs again.
      Value *boxes = graph->outputs()[0];
      while (boxes->node()->kind() == prim::TupleConstruct && !boxes->node()->inputs().empty())
        boxes = boxes->node()->input(0);
      if (!boxes->type()->isSubtypeOf(*c10::TensorType::get())) return new at::Tensor();
      unmarked.give({boxes});
      for (Value *value : wanted.of(unmarked))
        value->replaceAllUsesWith(graph->addInput()->setType(c10::TensorType::get()));
      finish(graph, *module);
    }
    torch::NoGradGuard no_grad;
    Bound bound(most, all);
    torch::jit::GraphExecutor executor(graph, "decode");
    torch::jit::Stack stack{module->module._ivalue(), *input};
    for (size_t i = 0; i < n_outputs; ++i) stack.emplace_back(*raw[i]);
    run(executor, stack);
    TORCH_CHECK(stack.size() == 1 && stack[0].isTensor(), "its output is no tensor");
    return new at::Tensor(stack[0].toTensor());
  });
}

void yc_tail_free(yc_tail *tail) { delete tail; }

yc_tensor *yc_tail_start(yc_tail *tail, const yc_tensor *input, size_t most, size_t all, char **error) {
  return guarded(error, nullptr, [&]() -> yc_tensor * {
    Bound bound(most, all);
    torch::NoGradGuard no_grad;
    torch::jit::Stack stack{tail->module._ivalue(), *input};
    run(tail->before, stack);
    auto tapped = stack.back().toTensor();
    stack.pop_back();
    tail->crossing = std::move(stack);
    return new at::Tensor(tapped);
  });
}

int yc_tail_run(yc_tail *tail, const yc_tensor *replacement, size_t most, size_t all, yc_tensor **outputs,
                char **error) {
  return guarded(error, -1, [&] {
    Bound bound(most, all);
    torch::NoGradGuard no_grad;
    // In the place of the input stands what is not looked at.
    torch::jit::Stack stack{tail->module._ivalue(), *replacement};
    for (const auto &value : tail->crossing) {
      if (value.isTensor() && value.toTensor().dim() > 0 && value.toTensor().size(0) == 1) {
        auto sizes = value.toTensor().sizes().vec();
        sizes[0] = replacement->size(0);
        stack.emplace_back(value.toTensor().expand(sizes));
      } else {
        stack.push_back(value);
      }
    }
    stack.emplace_back(*replacement);
    run(tail->after, stack);
    give(stack, tail->n_outputs, outputs);
    return 0;
  });
}

void yc_string_free(char *string) { free(string); }

}  // extern "C"
