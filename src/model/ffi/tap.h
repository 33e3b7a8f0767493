// What libtorch can do and `tch` can't reach: load a TorchScript module, list the calls in its forward graph,
// and run a copy of that graph which returns detection heads and tapped activations.
//
// Contract
//  - Errors: a function with an `error` parameter returns null (or -1) on failure and sets *error to a message
//    that the caller frees with yc_string_free. No C++ exception leaves this file.
//  - Ownership: a yc_module, yc_graph or tensor that is returned or handed to a callback belongs to the callee
//    of that hand-over; strings handed to a callback live until it returns. Nothing passed in is kept, except
//    that a yc_graph keeps the weights of its module alive by itself.
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

// Visits every module call in the forward graph that gives one tensor, in order of execution, an outer call
// before those inside it. Bit i of `sees` is set when head i depends on the call's output; bit i of `feeds`
// when that output is the very input of head i. `heads` are the paths of the head convolutions, 64 at most.
typedef void (*yc_call_visitor)(void *context, const char *path, const char *type, uint64_t sees, uint64_t feeds);
int yc_module_calls(const yc_module *module, const char *const *heads, size_t n_heads, void *context,
                    yc_call_visitor visit, char **error);

// Makes a graph that returns the raw outputs of `heads`, then their inputs, then the outputs of the calls `taps`.
// With `gradients`, every tapped output takes part in autograd, and nothing above the first of them does. A name that
// is not called is an error.
yc_graph *yc_graph_new(const yc_module *module, const char *const *heads, size_t n_heads,
                       const char *const *taps, size_t n_taps, int gradients, char **error);
void yc_graph_free(yc_graph *graph);

// Runs the graph on `input` [N,3,H,W] f32. Fills outputs[0 .. 2·n_heads + n_taps). Returns 0. One tensor on the CPU may take
// `most` bytes and all together `all`, here and below.
int yc_graph_run(yc_graph *graph, const yc_tensor *input, size_t most, size_t all, yc_tensor **outputs, char **error);

// What the module's own code makes of raw heads: its first output, an undefined tensor if that is none. `input` is there for
// its size.
yc_tensor *yc_module_decode(const yc_module *module, const char *const *heads, size_t n_heads, const yc_tensor *input,
                            const yc_tensor *const *raw, size_t most, size_t all, char **error);

// What lies behind the call `tap`: yc_tail_start runs what lies before on `input` [1,3,H,W], keeps what is needed of it,
// and gives the call's output; yc_tail_run runs the rest on any [N,K,h,w] in its place and fills outputs[0 .. n_heads) with
// the raw heads for a batch of N. No gradients are recorded. A yc_tail is used by one thread at a time.
typedef struct yc_tail yc_tail;
yc_tail *yc_tail_new(const yc_module *module, const char *const *heads, size_t n_heads, const char *tap, char **error);
void yc_tail_free(yc_tail *tail);
yc_tensor *yc_tail_start(yc_tail *tail, const yc_tensor *input, size_t most, size_t all, char **error);
int yc_tail_run(yc_tail *tail, const yc_tensor *replacement, size_t most, size_t all, yc_tensor **outputs,
                char **error);

void yc_string_free(char *string);  // null is fine

#ifdef __cplusplus
}
#endif
