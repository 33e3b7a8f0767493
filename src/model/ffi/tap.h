// What libtorch can do and `tch` can't reach: load a TorchScript module, list the calls in its forward graph,
// and run a copy of that graph which returns detection heads and tapped activations.
//
// Contract
//  - Errors: a function with an `error` parameter returns null (or -1) on failure and sets *error to a message
//    that the caller frees with yc_string_free. No C++ exception leaves this file.
//  - Ownership: a yc_module, yc_graph or tensor that is returned or handed to a callback belongs to the callee
//    of that hand-over; strings handed to a callback live until it returns.
//  - What is kept: a yc_graph and a yc_tail keep a reference to the weights of their module, and so outlive its handle; they
//    see what is written to those weights later. A builder and its module keep the tensors that were registered, or copies
//    of them. A yc_tail keeps values of its last start. Nothing else that is passed in is kept.
//  - Null: no pointer may be null unless said so.
//  - Threads: a yc_module or yc_graph is used by one thread at a time, whichever it is. Handles that yc_module_share gave,
//    and their graphs, may be used by several threads at once: what they share, weights and the graphs of methods, is only
//    read, and graphs are copied by one thread at a time.
//  - Callbacks must not unwind.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
namespace at { class Tensor; }
using yc_tensor = at::Tensor;
extern "C" {
#else
typedef struct yc_tensor yc_tensor;
#endif

typedef struct yc_module yc_module;
typedef struct yc_graph yc_graph;

// Loads a TorchScript file onto `device` ("cpu", "cuda:0"). It recurses as deep as the file's code does, so that it wants a
// roomy stack. The module must be prepared before it is used. *config becomes the content of extra file "config.txt", or null if there is none;
// free it with yc_string_free.
yc_module *yc_module_load(const char *path, const char *device, char **config, char **error);
void yc_module_free(yc_module *module);
// Puts a loaded module into eval mode, with f32 weights that record no gradients, channels_last.
int yc_module_prepare(yc_module *module, char **error);

// Visits every operator that the forward graph calls, however deep, once for each kind of result ("TensorType"). More than
// `max_calls` calls of modules and functions are an error.
typedef void (*yc_operator_visitor)(void *context, const char *name, const char *result);
int yc_module_operators(const yc_module *module, size_t max_calls, void *context, yc_operator_visitor visit,
                        char **error);
// Another handle to the same weights.
yc_module *yc_module_share(const yc_module *module, char **error);
// A copy with weights of its own. With `without_data` its weights have a shape and nothing else: whatever runs then computes
// shapes, takes no memory, and next to no time.
yc_module *yc_module_copy(const yc_module *module, int without_data, char **error);
// A copy whose weights are rounded to bfloat16, in which it computes: its inputs have to be bfloat16 too.
yc_module *yc_module_rounded(const yc_module *module, char **error);

// Saves the module as a TorchScript file with `config` as extra file "config.txt", on the CPU, in the default memory
// format, its floats as fp16 if `half`. The module itself stays as it is.
int yc_module_save(const yc_module *module, const char *path, const char *config, int half, char **error);

// Builds a module from parts. Modules are numbered in the order of their making. A module's children and tensors
// are registered before its forward is defined, in TorchScript; `type` is its Python class, "models.common.Conv".
typedef struct yc_builder yc_builder;
yc_builder *yc_builder_new(char **error);
void yc_builder_free(yc_builder *builder);
int yc_builder_module(yc_builder *builder, const char *type, char **error);
int yc_builder_child(yc_builder *builder, size_t parent, const char *name, size_t child, char **error);
int yc_builder_tensor(yc_builder *builder, size_t module, const char *name, const yc_tensor *tensor, int is_buffer,
                      char **error);
int yc_builder_define(yc_builder *builder, size_t module, const char *source, char **error);
// The module number `root` as yc_module_load would give it.
yc_module *yc_builder_finish(yc_builder *builder, size_t root, const char *device, char **error);

// Visits all parameters and buffers by their dotted path.
typedef void (*yc_tensor_visitor)(void *context, const char *path, yc_tensor *tensor);
int yc_module_tensors(const yc_module *module, void *context, yc_tensor_visitor visit, char **error);

// Visits all modules by their dotted path, the whole network with an empty one, with the name of their class, `Detect`.
typedef void (*yc_class_visitor)(void *context, const char *path, const char *name);
int yc_module_classes(const yc_module *module, void *context, yc_class_visitor visit, char **error);

// Before the path of a raw output: what the call is given, not what it gives.
#define YC_GIVEN '<'

// Visits every module call in the forward graph that gives one tensor, in order of execution, an outer call
// before those inside it. Bit i of `sees` is set when output i is computed from the call's output; bit i of `feeds`
// when that output is the very input of start i. `outputs` are the paths of the calls that give the network's raw
// outputs, or with YC_GIVEN before them are given these, here and below; `starts` those of calls whose inputs gradients start at, 64 each at most. Calls in a prim::If or prim::Loop are
// run, but not visited.
typedef void (*yc_call_visitor)(void *context, const char *path, const char *type, uint64_t sees, uint64_t feeds);
int yc_module_calls(const yc_module *module, const char *const *outputs, size_t n_outputs, const char *const *starts,
                    size_t n_starts, void *context, yc_call_visitor visit, char **error);

// Makes a graph that returns what the calls `outputs` give, then what the calls `starts` are given, then what the calls
// `taps` give. With `gradients`, every tapped value takes part in autograd, and nothing above the first of them does. A path
// that is not called is an error.
yc_graph *yc_graph_new(const yc_module *module, const char *const *outputs, size_t n_outputs,
                       const char *const *starts, size_t n_starts, const char *const *taps, size_t n_taps,
                       int gradients, char **error);
// Makes a graph that computes what the call `output` gives from what the call `start` is given, which takes the place of the
// input. It is an error if that is not all that it is computed from.
yc_graph *yc_graph_between(const yc_module *module, const char *start, const char *output, char **error);
void yc_graph_free(yc_graph *graph);

// Runs the graph on `input` f32, [N,3,H,W] for a whole network, of which a module without data takes the shape only. Fills
// outputs[0 .. n_outputs + n_starts + n_taps). Returns 0. One tensor on the CPU may take `most` bytes and all together `all`,
// here and below.
int yc_graph_run(yc_graph *graph, const yc_tensor *input, size_t most, size_t all, yc_tensor **outputs, char **error);

// What the module's own code makes of `raw`, values in the place of `outputs`: its first result, an undefined tensor if
// that is none. `input` is there for its size.
yc_tensor *yc_module_decode(const yc_module *module, const char *const *outputs, size_t n_outputs,
                            const yc_tensor *input, const yc_tensor *const *raw, size_t most, size_t all,
                            char **error);

// What lies behind the call `tap`: yc_tail_start runs what lies before on `input` [1,3,H,W], keeps what is needed of it,
// and gives the call's output; yc_tail_run runs the rest on any [N,K,h,w] in its place and fills outputs[0 .. n_outputs)
// for a batch of N. No gradients are recorded. A graph with a prim::If or prim::Loop is refused. A yc_tail is used by one
// thread at a time.
typedef struct yc_tail yc_tail;
yc_tail *yc_tail_new(const yc_module *module, const char *const *outputs, size_t n_outputs, const char *tap,
                     char **error);
void yc_tail_free(yc_tail *tail);
yc_tensor *yc_tail_start(yc_tail *tail, const yc_tensor *input, size_t most, size_t all, char **error);
int yc_tail_run(yc_tail *tail, const yc_tensor *replacement, size_t most, size_t all, yc_tensor **outputs,
                char **error);

void yc_string_free(char *string);  // null is fine

#ifdef __cplusplus
}
#endif
