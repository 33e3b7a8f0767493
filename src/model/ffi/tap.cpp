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
#include <c10/core/CPUAllocator.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
namespace aten = c10::aten;
namespace prim = c10::prim;

struct yc_module {
  torch::jit::Module module;
  c10::Device device;
};

struct yc_builder {
  std::shared_ptr<torch::jit::CompilationUnit> unit = std::make_shared<torch::jit::CompilationUnit>();
  std::vector<torch::jit::Module> modules;
};

struct yc_graph {
  torch::jit::GraphExecutor executor;
  torch::jit::Module module;
  size_t n_outputs;
};

struct yc_tail {
  torch::jit::GraphExecutor before, after;
  torch::jit::Module module;
  size_t n_heads;
  // Of the last start: what the part behind the tap needs besides it.
  std::vector<c10::IValue> crossing;
};

namespace {

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

// libtorch's own allocator, but for the bound.
class BoundedAllocator final : public c10::Allocator {
 public:
  explicit BoundedAllocator(c10::Allocator *inner) : inner_(inner) {}

  at::DataPtr allocate(size_t bytes) override {
    if (budget) {
      TORCH_CHECK(bytes <= budget->most, "it makes a tensor of ", bytes, " bytes; at most ", budget->most,
                  " are allowed for an input of this size");
      TORCH_CHECK(bytes <= budget->left, "its tensors take more memory than is allowed for an input of this size");
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

// Weights become f32, channels_last (about 15 % faster on a CPU). A copy only where they are not so already.
at::Tensor prepared(const at::Tensor &tensor) {
  if (!tensor.is_floating_point()) return tensor;
  auto format = tensor.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  // One after the other: both at once take twice as long.
  return tensor.to(at::kFloat).contiguous(format);
}

// And they take no part in autograd.
void prepare_weights(torch::jit::Module &module) {
  torch::NoGradGuard no_grad;
  auto prepare = [](at::Tensor tensor) { tensor.requires_grad_(false).set_data(prepared(tensor)); };
  for (const auto &parameter : module.parameters()) prepare(parameter);
  for (const auto &buffer : module.buffers()) prepare(buffer);
}

// A file exported on a GPU, or in fp16, has that device and type in its code as well.
void prepare_constants(Graph &graph, c10::Device device) {
  for (Node *node : graph.block()->nodes()) {
    if (node->kind() != prim::Constant || node->outputs().size() != 1) continue;
    auto value = torch::jit::toIValue(node->output());
    if (!value) continue;
    c10::IValue wanted;
    if (value->isDevice()) {
      wanted = device;
    } else if (value->isTensor() && value->toTensor().defined()) {
      auto tensor = value->toTensor();
      wanted = tensor.to(device, tensor.scalar_type() == at::kHalf ? at::kFloat : tensor.scalar_type());
    } else {
      continue;
    }
    torch::jit::WithInsertPoint before(node);
    node->output()->replaceAllUsesWith(graph.insertConstant(wanted));
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

// With a single thread libtorch leaves oneDNN out of 1x1 convolutions. It is up to 1.3 times faster for a whole network,
// and gives the figures of more threads.
void prefer_onednn(Graph &graph, const torch::jit::Module &module, c10::Device device) {
  if (!device.is_cpu() || !at::hasMKLDNN() || !at::globalContext().userEnabledMkldnn()) return;
  static const auto traced = c10::Symbol::fromQualString("aten::_convolution");
  static const auto onednn = c10::Symbol::fromQualString("aten::mkldnn_convolution");
  std::vector<Node *> replaced;
  for (Node *node : graph.block()->nodes()) {
    bool is_traced = node->kind() == traced;
    if (!is_traced && node->kind() != aten::conv2d) continue;
    bool is_transposed = is_traced && torch::jit::constant_as<bool>(node->input(6)).value_or(true);
    // Of conv2d one variant has its padding as a word.
    if (is_transposed || node->input(4)->type()->kind() != c10::TypeKind::ListType) continue;
    auto weight = attribute_of(module, node->input(1));
    bool is_pointwise = weight.defined() && weight.dim() == 4 && weight.size(2) == 1 && weight.size(3) == 1;
    if (!is_pointwise || weight.scalar_type() != at::kFloat) continue;
    torch::jit::WithInsertPoint before(node);
    auto format = static_cast<int64_t>(at::MemoryFormat::ChannelsLast);
    Value *input = graph.insert(aten::contiguous, {node->input(0)}, {torch::jit::NamedValue("memory_format", format)});
    Value *groups = node->input(is_traced ? 8 : 6);
    Value *output = graph.insert(
        onednn, {input, node->input(1), node->input(2), node->input(4), node->input(3), node->input(5), groups});
    node->output()->replaceAllUsesWith(output);
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

struct Call {
  std::string path;
  std::string type;
};

// A copy of a module's forward graph with all module calls inlined. While that goes on, `on_call` sees each
// call before it is inlined, and may insert nodes behind it.
class Expansion {
 public:
  using OnCall = std::function<void(Node *, const Call &)>;

  Expansion(const yc_module &source, OnCall on_call)
      : graph(source.module.get_method("forward").graph()->copy()), on_call_(std::move(on_call)) {
    paths_[graph->inputs().at(0)] = "";
    auto *block = graph->block();
    n_original_outputs_ = graph->outputs().size();
    expand(*block->nodes().begin(), block->return_node(), "");
    prepare_constants(*graph, source.device);
    prefer_onednn(*graph, source.module, source.device);
  }

  // The outputs that `on_call` registered, in that order, in place of the module's own.
  void keep_registered_outputs() {
    for (size_t i = 0; i < n_original_outputs_; ++i) graph->eraseOutput(0);
  }

  std::shared_ptr<Graph> graph;

 private:
  void expand(Node *first, Node *end, const std::string &scope) {
    for (Node *node = first; node != end;) {
      Node *next = node->next();
      if (node->kind() == prim::GetAttr) {
        auto owner = paths_.find(node->input());
        if (owner != paths_.end()) paths_[node->output()] = join(owner->second, node->s(c10::attr::name));
      } else if (node->kind() == prim::CallMethod) {
        inline_call(node, scope);
      }
      node = next;
    }
  }

  void inline_call(Node *node, const std::string &scope) {
    Value *receiver = node->input(0);
    auto type = receiver->type()->expect<c10::ClassType>();
    auto owner = paths_.find(receiver);
    if (owner == paths_.end()) throw std::runtime_error("the forward graph calls a module that is no attribute");
    // One activation module may serve all convolutions; the trace hands it around as an argument. Users know it
    // by the place of the call: `X.act` is the activation that is called inside X.
    std::string path = lies_in(owner->second, scope) ? owner->second : join(scope, last_of(owner->second));
    size_t times = ++times_called_[path];
    if (times > 1) path += "#" + std::to_string(times);

    Node *before = node->prev();
    on_call_(node, {path, type->name() ? type->name()->name() : "?"});
    auto &function = type->getMethod(node->s(c10::attr::name));
    auto *graph_function = torch::jit::tryToGraphFunction(function);
    if (!graph_function) throw std::runtime_error("the forward graph calls a function that has no graph");
    // Nodes that on_call put behind the call stay behind what replaces it.
    Node *end = node->next();
    // The plain graph: in the optimized one the inner calls are gone.
    torch::jit::inlineCallTo(node, graph_function, graph_function->graph().get());
    expand(before->next(), end, path);
  }

  OnCall on_call_;
  std::unordered_map<const Value *, std::string> paths_;
  std::unordered_map<std::string, size_t> times_called_;
  size_t n_original_outputs_ = 0;
};

bool is_tensor(const Node *call) {
  return call->outputs().size() == 1 && call->output()->type()->isSubtypeOf(*c10::TensorType::get());
}

// The tensor that a one-tensor call works on: the last argument, since shared activations come before it.
Value *input_of(Node *call) { return call->inputs().back(); }

// Makes the output of `call` take part in autograd: as a leaf if nothing before it does (weights don't), else as one more
// step. Returns what gradients reach. Later nodes use a clone of it, so that an in-place activation can't change it; and
// it is an alias, so that what shares its memory stays out.
Value *insert_gradient(Graph &graph, Node *call) {
  Value *output = call->output();
  torch::jit::WithInsertPoint behind(call->next());
  Value *alias = graph.insert(aten::alias, {output});
  Value *tapped = graph.insert(aten::requires_grad_, {alias, true});
  Value *clone = graph.insert(aten::clone, {tapped});
  output->replaceAllUsesAfterNodeWith(clone->node(), clone);
  return tapped;
}

std::vector<std::string> strings(const char *const *items, size_t n) { return {items, items + n}; }

using Slots = std::unordered_map<std::string, size_t>;

Slots slots_of(const std::vector<std::string> &names) {
  Slots slots;
  for (size_t i = 0; i < names.size(); ++i) slots[names[i]] = i;
  return slots;
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

// bits[v]: the heads that depend on value v, found by walking the graph backwards.
std::unordered_map<const Value *, uint64_t> dependents(Graph &graph, const std::vector<Value *> &heads) {
  std::unordered_map<const Value *, uint64_t> bits;
  for (size_t i = 0; i < heads.size(); ++i) bits[heads[i]] |= uint64_t{1} << i;
  for (Node *node : graph.block()->nodes().reverse()) {
    uint64_t seen = 0;
    for (Value *output : node->outputs()) seen |= bits[output];
    if (!seen) continue;
    for_each_use(node, [&](Value *input) { bits[input] |= seen; });
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

// What depends on `root` in a straight-line graph.
std::unordered_set<const Value *> dependants(Graph &graph, const Value *root) {
  std::unordered_set<const Value *> found{root};
  for (Node *node : graph.block()->nodes()) {
    TORCH_CHECK(node->blocks().empty(), "its graph has branches or loops");
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
    return new yc_module{std::move(module), target};
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

int yc_module_save(const yc_module *module, const char *path, const char *config, int half, char **error) {
  return guarded(error, -1, [&] {
    std::lock_guard lock(graph_copying);
    torch::NoGradGuard no_grad;
    auto copy = module->module.deepcopy();
    auto prepare = [&](at::Tensor tensor) {
      auto type = half && tensor.is_floating_point() ? at::kHalf : tensor.scalar_type();
      tensor.set_data(tensor.to(at::kCPU, type).contiguous());
    };
    for (const auto &parameter : copy.parameters()) prepare(parameter);
    for (const auto &buffer : copy.buffers()) prepare(buffer);
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
    return new yc_module{std::move(module), target};
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

int yc_module_calls(const yc_module *module, const char *const *heads, size_t n_heads, void *context,
                    yc_call_visitor visit, char **error) {
  return guarded(error, -1, [&] {
    std::lock_guard lock(graph_copying);
    auto head_slots = slots_of(strings(heads, n_heads));
    // A value is replaced while what computes it is inlined. The graph's outputs follow such replacements, so
    // what must be known in the end is registered there.
    std::vector<Call> calls;
    std::vector<size_t> call_outputs, head_outputs(n_heads), head_inputs(n_heads);
    std::vector<bool> found(n_heads);
    Graph *graph = nullptr;
    size_t n_registered = 0;
    Expansion expansion(*module, [&](Node *node, const Call &call) {
      graph = node->owningGraph();
      if (!is_tensor(node)) return;
      auto add = [&](Value *value) {
        graph->registerOutput(value);
        return n_registered++;
      };
      calls.push_back(call);
      call_outputs.push_back(add(node->output()));
      auto head = head_slots.find(call.path);
      if (head != head_slots.end()) {
        found[head->second] = true;
        head_outputs[head->second] = call_outputs.back();
        head_inputs[head->second] = add(input_of(node));
      }
    });
    expansion.keep_registered_outputs();
    for (size_t i = 0; i < n_heads; ++i)
      if (!found[i]) throw std::runtime_error(std::string("its graph does not call the head convolution ") + heads[i]);

    auto outputs = expansion.graph->outputs();
    std::vector<Value *> head_values;
    for (size_t index : head_outputs) head_values.push_back(outputs[index]);
    auto bits = dependents(*expansion.graph, head_values);
    for (size_t i = 0; i < calls.size(); ++i) {
      Value *value = outputs[call_outputs[i]];
      uint64_t feeds = 0;
      for (size_t head = 0; head < n_heads; ++head)
        if (outputs[head_inputs[head]] == value) feeds |= uint64_t{1} << head;
      visit(context, calls[i].path.c_str(), calls[i].type.c_str(), bits[value], feeds);
    }
    return 0;
  });
}

yc_graph *yc_graph_new(const yc_module *module, const char *const *heads, size_t n_heads,
                       const char *const *taps, size_t n_taps, int gradients, char **error) {
  return guarded(error, nullptr, [&]() -> yc_graph * {
    std::lock_guard lock(graph_copying);
    auto head_slots = slots_of(strings(heads, n_heads));
    auto tap_slots = slots_of(strings(taps, n_taps));
    // Where each wanted value stands among the graph's outputs, which are registered in order of execution.
    std::vector<size_t> position(2 * n_heads + n_taps, SIZE_MAX);
    size_t n_registered = 0;
    Expansion expansion(*module, [&](Node *node, const Call &call) {
      if (!is_tensor(node)) return;
      Graph *graph = node->owningGraph();
      auto add = [&](size_t slot, Value *value) {
        graph->registerOutput(value);
        position[slot] = n_registered++;
      };
      auto head = head_slots.find(call.path);
      if (head != head_slots.end()) {
        add(head->second, node->output());
        add(n_heads + head->second, input_of(node));
      }
      auto tap = tap_slots.find(call.path);
      if (tap != tap_slots.end())
        add(2 * n_heads + tap->second, gradients ? insert_gradient(*graph, node) : node->output());
    });
    expansion.keep_registered_outputs();
    auto graph = expansion.graph;
    std::vector<Value *> registered(graph->outputs().begin(), graph->outputs().end());
    erase_outputs(*graph);
    for (size_t slot : position) {
      if (slot == SIZE_MAX) throw std::runtime_error("a head or tap is not called by the forward graph");
      graph->registerOutput(registered[slot]);
    }
    // With its outputs gone, the decoding and the grid that was baked into it go too.
    torch::jit::EliminateDeadCode(graph);
    graph->lint();
    return new yc_graph{torch::jit::GraphExecutor(graph, "forward"), module->module, position.size()};
  });
}

void yc_graph_free(yc_graph *graph) { delete graph; }

int yc_graph_run(yc_graph *graph, const yc_tensor *input, size_t most, size_t all, yc_tensor **outputs, char **error) {
  return guarded(error, -1, [&] {
    Bound bound(most, all);
    torch::jit::Stack stack{graph->module._ivalue(), *input};
    run(graph->executor, stack);
    give(stack, graph->n_outputs, outputs);
    return 0;
  });
}

yc_tail *yc_tail_new(const yc_module *module, const char *const *heads, size_t n_heads, const char *tap, char **error) {
  return guarded(error, nullptr, [&]() -> yc_tail * {
    std::lock_guard lock(graph_copying);
    auto head_slots = slots_of(strings(heads, n_heads));
    std::vector<size_t> position(n_heads + 1, SIZE_MAX);
    size_t n_registered = 0;
    Node *clone = nullptr;
    Expansion expansion(*module, [&](Node *node, const Call &call) {
      if (!is_tensor(node)) return;
      Graph *graph = node->owningGraph();
      auto add = [&](size_t slot, Value *value) {
        graph->registerOutput(value);
        position[slot] = n_registered++;
      };
      auto head = head_slots.find(call.path);
      if (head != head_slots.end()) add(head->second, node->output());
      if (call.path == tap) {
        torch::jit::WithInsertPoint behind(node->next());
        add(n_heads, node->output());
        clone = graph->insert(aten::clone, {node->output()})->node();
        node->output()->replaceAllUsesAfterNodeWith(clone, clone->output());
      }
    });
    expansion.keep_registered_outputs();
    auto graph = expansion.graph;
    std::vector<Value *> wanted;
    for (size_t slot : position) {
      if (slot == SIZE_MAX) throw std::runtime_error("a head or tap is not called by the forward graph");
      wanted.push_back(graph->outputs()[slot]);
    }
    // Its later uses were replaced, that as an output among them.
    wanted.back() = clone->input(0);
    erase_outputs(*graph);
    for (Value *value : wanted) graph->registerOutput(value);
    // The clone has to stay, whatever depends on it.
    graph->registerOutput(clone->output());
    torch::jit::EliminateDeadCode(graph);

    auto behind = dependants(*graph, clone->output());
    std::vector<Value *> crossing;
    auto cross = [&](Value *value) {
      bool is_known = behind.count(value) || is_fixed(value) ||
                      std::find(crossing.begin(), crossing.end(), value) != crossing.end();
      if (!is_known) crossing.push_back(value);
    };
    for (Node *node : graph->nodes()) {
      if (node == clone || node->outputs().empty() || !behind.count(node->outputs()[0])) continue;
      for (Value *input : node->inputs()) cross(input);
    }
    for (size_t i = 0; i < n_heads; ++i) cross(graph->outputs()[i]);

    auto given = crossing;
    given.push_back(clone->input(0));
    auto before = part_that_gives(graph, given);
    for (Value *value : crossing) {
      Value *input = graph->addInput()->setType(value->type());
      value->replaceAllUsesWith(input);
    }
    clone->output()->replaceAllUsesWith(graph->addInput()->setType(c10::TensorType::get()));
    erase_outputs(*graph, n_heads);
    torch::jit::EliminateDeadCode(graph);
    graph->lint();
    return new yc_tail{torch::jit::GraphExecutor(before, "before"), torch::jit::GraphExecutor(graph, "after"),
                       module->module, n_heads, {}};
  });
}

yc_tensor *yc_module_decode(const yc_module *module, const char *const *heads, size_t n_heads, const yc_tensor *input,
                            const yc_tensor *const *raw, size_t most, size_t all, char **error) {
  return guarded(error, nullptr, [&]() -> yc_tensor * {
    std::vector<size_t> position(n_heads, SIZE_MAX);
    std::shared_ptr<Graph> graph;
    {
      std::lock_guard lock(graph_copying);
      auto head_slots = slots_of(strings(heads, n_heads));
      size_t n_registered = 0;
      Expansion expansion(*module, [&](Node *node, const Call &call) {
        auto head = head_slots.find(call.path);
        if (!is_tensor(node) || head == head_slots.end()) return;
        node->owningGraph()->registerOutput(node->output());
        position[head->second] = n_registered++;
      });
      graph = expansion.graph;
      size_t n_own = graph->outputs().size() - n_registered;
      std::vector<Value *> given;
      for (size_t slot : position) {
        TORCH_CHECK(slot != SIZE_MAX, "a head is not called by the forward graph");
        given.push_back(graph->outputs()[n_own + slot]);
      }
      // Of several outputs the first holds the boxes; behind it there may be masks, or the raw heads again.
      Value *boxes = graph->outputs()[0];
      while (boxes->node()->kind() == prim::TupleConstruct && !boxes->node()->inputs().empty())
        boxes = boxes->node()->input(0);
      if (!boxes->type()->isSubtypeOf(*c10::TensorType::get())) return new at::Tensor();
      erase_outputs(*graph);
      graph->registerOutput(boxes);
      for (Value *value : given) value->replaceAllUsesWith(graph->addInput()->setType(c10::TensorType::get()));
      torch::jit::EliminateDeadCode(graph);
      graph->lint();
    }
    torch::NoGradGuard no_grad;
    Bound bound(most, all);
    torch::jit::GraphExecutor executor(graph, "decode");
    torch::jit::Stack stack{module->module._ivalue(), *input};
    for (size_t i = 0; i < n_heads; ++i) stack.emplace_back(*raw[i]);
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
    give(stack, tail->n_heads, outputs);
    return 0;
  });
}

void yc_string_free(char *string) { free(string); }

}  // extern "C"
