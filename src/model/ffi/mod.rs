//! The only `unsafe` code: safe types over the C++ shim in `tap.h`.
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    marker::PhantomData,
    path::Path,
    ptr::{self, NonNull},
    thread,
};

use tch::Tensor;
use torch_sys::C_tensor;

use super::Forward;
use crate::{
    error::{Error, Result, one_line},
    limits::Limits,
};

#[repr(C)]
struct RawModule {
    _opaque: [u8; 0],
}

#[repr(C)]
struct RawBuilder {
    _opaque: [u8; 0],
}

#[repr(C)]
struct RawGraph {
    _opaque: [u8; 0],
}

#[repr(C)]
struct RawTail {
    _opaque: [u8; 0],
}

type TensorVisitor = unsafe extern "C" fn(*mut c_void, *const c_char, *mut C_tensor);
type ClassVisitor = unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char);
type OperatorVisitor = unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char);
type CallVisitor = unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char, u64, u64);

// `C_tensor*` of torch-sys is `at::Tensor*`, as the shim's `yc_tensor*`.
unsafe extern "C" {
    fn yc_module_load(
        path: *const c_char,
        device: *const c_char,
        config: *mut *mut c_char,
        error: *mut *mut c_char,
    ) -> *mut RawModule;
    fn yc_module_prepare(module: *mut RawModule, error: *mut *mut c_char) -> c_int;
    fn yc_module_operators(
        module: *const RawModule,
        max_calls: usize,
        context: *mut c_void,
        visit: OperatorVisitor,
        error: *mut *mut c_char,
    ) -> c_int;
    fn yc_module_decode(
        module: *const RawModule,
        outputs: *const *const c_char,
        n_outputs: usize,
        input: *const C_tensor,
        raw: *const *const C_tensor,
        most: usize,
        all: usize,
        error: *mut *mut c_char,
    ) -> *mut C_tensor;
    fn yc_builder_new(error: *mut *mut c_char) -> *mut RawBuilder;
    fn yc_builder_free(builder: *mut RawBuilder);
    fn yc_builder_module(builder: *mut RawBuilder, class: *const c_char, error: *mut *mut c_char) -> c_int;
    fn yc_builder_child(
        builder: *mut RawBuilder,
        parent: usize,
        name: *const c_char,
        child: usize,
        error: *mut *mut c_char,
    ) -> c_int;
    fn yc_builder_tensor(
        builder: *mut RawBuilder,
        module: usize,
        name: *const c_char,
        tensor: *const C_tensor,
        is_buffer: c_int,
        error: *mut *mut c_char,
    ) -> c_int;
    fn yc_builder_define(
        builder: *mut RawBuilder,
        module: usize,
        source: *const c_char,
        error: *mut *mut c_char,
    ) -> c_int;
    fn yc_builder_finish(
        builder: *mut RawBuilder,
        root: usize,
        device: *const c_char,
        error: *mut *mut c_char,
    ) -> *mut RawModule;
    fn yc_module_free(module: *mut RawModule);
    fn yc_module_share(module: *const RawModule, error: *mut *mut c_char) -> *mut RawModule;
    fn yc_module_rounded(module: *const RawModule, error: *mut *mut c_char) -> *mut RawModule;
    fn yc_module_copy(module: *const RawModule, without_data: c_int, error: *mut *mut c_char) -> *mut RawModule;
    fn yc_module_save(
        module: *const RawModule,
        path: *const c_char,
        config: *const c_char,
        half: c_int,
        error: *mut *mut c_char,
    ) -> c_int;
    fn yc_module_tensors(
        module: *const RawModule,
        context: *mut c_void,
        visit: TensorVisitor,
        error: *mut *mut c_char,
    ) -> c_int;
    fn yc_module_classes(
        module: *const RawModule,
        context: *mut c_void,
        visit: ClassVisitor,
        error: *mut *mut c_char,
    ) -> c_int;
    fn yc_module_calls(
        module: *const RawModule,
        outputs: *const *const c_char,
        n_outputs: usize,
        starts: *const *const c_char,
        n_starts: usize,
        context: *mut c_void,
        visit: CallVisitor,
        error: *mut *mut c_char,
    ) -> c_int;
    fn yc_graph_new(
        module: *const RawModule,
        outputs: *const *const c_char,
        n_outputs: usize,
        starts: *const *const c_char,
        n_starts: usize,
        taps: *const *const c_char,
        n_taps: usize,
        gradients: c_int,
        error: *mut *mut c_char,
    ) -> *mut RawGraph;
    fn yc_graph_between(
        module: *const RawModule,
        start: *const c_char,
        output: *const c_char,
        error: *mut *mut c_char,
    ) -> *mut RawGraph;
    fn yc_graph_free(graph: *mut RawGraph);
    fn yc_graph_run(
        graph: *mut RawGraph,
        input: *const C_tensor,
        most: usize,
        all: usize,
        outputs: *mut *mut C_tensor,
        error: *mut *mut c_char,
    ) -> c_int;
    fn yc_tail_new(
        module: *const RawModule,
        outputs: *const *const c_char,
        n_outputs: usize,
        tap: *const c_char,
        error: *mut *mut c_char,
    ) -> *mut RawTail;
    fn yc_tail_free(tail: *mut RawTail);
    fn yc_tail_start(
        tail: *mut RawTail,
        input: *const C_tensor,
        most: usize,
        all: usize,
        error: *mut *mut c_char,
    ) -> *mut C_tensor;
    fn yc_tail_run(
        tail: *mut RawTail,
        replacement: *const C_tensor,
        most: usize,
        all: usize,
        outputs: *mut *mut C_tensor,
        error: *mut *mut c_char,
    ) -> c_int;
    fn yc_string_free(string: *mut c_char);
}

/// A module call in the forward graph whose output is one tensor.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// The module's dotted path. A second call of the same module has `#2` behind it.
    pub path: String,
    /// The class name, `Conv2d`.
    pub class: String,
    /// Bit i: raw output i is computed from this call's output.
    pub sees: u64,
    /// Bit i: the output is the very input of start i.
    pub feeds: u64,
}

/// Where a network's head ends and begins, by the paths of module calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends<'a> {
    /// Calls that give the raw outputs.
    pub outputs: &'a [&'a str],
    /// Calls whose inputs gradients start at, one for each level.
    pub starts: &'a [&'a str],
}

/// What a tapped layer's output is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tap {
    /// A value that gradients reach, but nothing above the first of them.
    Gradient,
    /// A value to look at.
    Observe,
}

/// What a module has a tensor for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TensorRole {
    /// Learnt.
    Parameter,
    /// Anything else.
    Buffer,
}

/// A loaded TorchScript module: f32 weights, eval mode, no parameter gradients.
pub(super) struct ScriptModule(NonNull<RawModule>);

// SAFETY: nothing of libtorch is bound to the thread that made it, and reference counts are atomic. What handles share is
// only read, but for the copying of graphs, which the shim does in one thread at a time.
unsafe impl Send for ScriptModule {}

impl ScriptModule {
    /// Another handle to the same weights, for another thread.
    pub fn share(&self) -> Result<Self> {
        // SAFETY: the module is alive.
        guarded(|error| unsafe { yc_module_share(self.0.as_ptr(), error) }).map(Self)
    }

    /// A copy with weights of its own.
    pub fn copy(&self) -> Result<Self> {
        // SAFETY: the module is alive.
        guarded(|error| unsafe { yc_module_copy(self.0.as_ptr(), 0, error) }).map(Self)
    }

    /// A copy that computes in bfloat16: its inputs have to be of that kind, its outputs are.
    pub fn rounded(&self) -> Result<Self> {
        // SAFETY: the module is alive.
        guarded(|error| unsafe { yc_module_rounded(self.0.as_ptr(), error) }).map(Self)
    }

    /// A copy whose weights have a shape and nothing else: what it computes are shapes, in next to no time.
    pub fn without_data(&self) -> Result<Self> {
        // SAFETY: the module is alive.
        guarded(|error| unsafe { yc_module_copy(self.0.as_ptr(), 1, error) }).map(Self)
    }

    /// Loads `path` onto `device`. Also returns the text of `config.txt` inside the file, if there is one.
    pub fn load(path: &Path, device: tch::Device) -> Result<(Self, Option<String>)> {
        let path = c_path(path)?;
        let device = c_string(&device_name(device))?;
        let load = || {
            let mut config = ptr::null_mut();
            // SAFETY: the strings outlive the call; `config` and the error are owned by us from here on.
            let module =
                guarded(|error| unsafe { yc_module_load(path.as_ptr(), device.as_ptr(), &mut config, error) })?;
            // SAFETY: set by a call that succeeded: null or a string that we own.
            Ok((Self(module), unsafe { take_string(config) }))
        };
        let (module, config) = on_a_roomy_stack(load)?;
        // SAFETY: the module is alive, and nobody else has it.
        checked(|error| unsafe { yc_module_prepare(module.0.as_ptr(), error) })?;
        Ok((module, config))
    }

    /// The operators that the forward graph calls, however deep: name and kind of result, `aten::conv2d` and `TensorType`.
    pub fn operators(&self) -> Result<Vec<(String, String)>> {
        unsafe extern "C" fn visit(context: *mut c_void, name: *const c_char, result: *const c_char) {
            // SAFETY: `context` is the vector below, borrowed by nobody else during the call; the strings live
            // until we return.
            unsafe {
                let list = &mut *context.cast::<Vec<(String, String)>>();
                list.push((borrow_string(name), borrow_string(result)));
            }
        }
        let mut list: Vec<(String, String)> = Vec::new();
        let context = ptr::from_mut(&mut list).cast();
        // SAFETY: the module is alive; `visit` takes the context for what it is.
        checked(|error| unsafe { yc_module_operators(self.0.as_ptr(), Limits::CALLS, context, visit, error) })?;
        Ok(list)
    }

    /// What the module's own code makes of these raw outputs, `[1, C, h, w]` each; `None` if its first output is no tensor.
    ///
    /// `input`: `[1, 3, H, W]`, of which only the size counts.
    pub fn decode(&self, outputs: &[&str], input: &Tensor, raw: &[Tensor]) -> Result<Option<Tensor>> {
        let outputs = CStrings::new(outputs)?;
        let raw: Vec<*const C_tensor> = raw.iter().map(Tensor::as_ptr).collect();
        assert_eq!(outputs.len(), raw.len(), "a tensor for each raw output");
        let Room { most, all } = Room::of(input);
        // SAFETY: module, strings and tensors are alive; there are as many tensors as strings.
        let output = guarded(|error| unsafe {
            let (outputs, count) = (outputs.as_ptr(), outputs.len());
            yc_module_decode(self.0.as_ptr(), outputs, count, input.as_ptr(), raw.as_ptr(), most, all, error)
        })?;
        // SAFETY: after success it is a tensor that we own.
        let output = unsafe { Tensor::from_ptr(output.as_ptr()) };
        Ok(output.defined().then_some(output))
    }

    /// Writes a TorchScript file with `config.txt` inside; its floats as fp16 if `half`.
    pub fn save(&self, path: &Path, config: &str, half: bool) -> Result<()> {
        let (path, config) = (c_path(path)?, c_string(config)?);
        // SAFETY: module and strings outlive the call.
        checked(|error| unsafe {
            yc_module_save(self.0.as_ptr(), path.as_ptr(), config.as_ptr(), c_int::from(half), error)
        })
    }

    /// All parameters and buffers with their dotted paths.
    pub fn tensors(&self) -> Result<Vec<(String, Tensor)>> {
        unsafe extern "C" fn visit(context: *mut c_void, path: *const c_char, tensor: *mut C_tensor) {
            // SAFETY: `context` is the vector below, borrowed by nobody else during the call; the path lives
            // until we return; the tensor is ours.
            unsafe {
                let list = &mut *context.cast::<Vec<(String, Tensor)>>();
                list.push((borrow_string(path), Tensor::from_ptr(tensor)));
            }
        }
        let mut list: Vec<(String, Tensor)> = Vec::new();
        let context = ptr::from_mut(&mut list).cast();
        // SAFETY: the module is alive; `visit` takes the context for what it is.
        checked(|error| unsafe { yc_module_tensors(self.0.as_ptr(), context, visit, error) })?;
        Ok(list)
    }

    /// All modules by their dotted path, with the name of their class, `Detect`.
    pub fn classes(&self) -> Result<Vec<(String, String)>> {
        unsafe extern "C" fn visit(context: *mut c_void, path: *const c_char, name: *const c_char) {
            // SAFETY: `context` is the vector below, borrowed by nobody else during the call; the strings live until we return.
            unsafe {
                let list = &mut *context.cast::<Vec<(String, String)>>();
                list.push((borrow_string(path), borrow_string(name)));
            }
        }
        let mut list: Vec<(String, String)> = Vec::new();
        let context = ptr::from_mut(&mut list).cast();
        // SAFETY: the module is alive; `visit` takes the context for what it is.
        checked(|error| unsafe { yc_module_classes(self.0.as_ptr(), context, visit, error) })?;
        Ok(list)
    }

    /// The calls in the forward graph in order of execution, an outer call before those inside it.
    ///
    /// `ends.outputs` and `ends.starts`: at most 64 each.
    pub fn calls(&self, ends: &Ends) -> Result<Vec<Call>> {
        unsafe extern "C" fn visit(
            context: *mut c_void,
            path: *const c_char,
            class: *const c_char,
            sees: u64,
            feeds: u64,
        ) {
            // SAFETY: `context` is the vector below, borrowed by nobody else during the call; the strings live
            // until we return.
            unsafe {
                let list = &mut *context.cast::<Vec<Call>>();
                list.push(Call { path: borrow_string(path), class: borrow_string(class), sees, feeds });
            }
        }
        let (outputs, starts) = (CStrings::new(ends.outputs)?, CStrings::new(ends.starts)?);
        let mut list: Vec<Call> = Vec::new();
        let context = ptr::from_mut(&mut list).cast();
        // SAFETY: module and strings are alive; `visit` takes the context for what it is.
        checked(|error| unsafe {
            let (outputs, n_outputs) = (outputs.as_ptr(), outputs.len());
            let (starts, n_starts) = (starts.as_ptr(), starts.len());
            yc_module_calls(self.0.as_ptr(), outputs, n_outputs, starts, n_starts, context, visit, error)
        })?;
        Ok(list)
    }
}

impl Drop for ScriptModule {
    fn drop(&mut self) {
        // SAFETY: made by yc_module_load or yc_builder_finish, freed once.
        unsafe { yc_module_free(self.0.as_ptr()) }
    }
}

/// Makes a [`ScriptModule`] from parts. Modules are numbered in the order of their making.
pub(super) struct Builder {
    builder: NonNull<RawBuilder>,
    modules: usize,
}

impl Builder {
    pub fn new() -> Result<Self> {
        // SAFETY: no arguments but the error's place.
        let builder = guarded(|error| unsafe { yc_builder_new(error) })?;
        Ok(Self { builder, modules: 0 })
    }

    /// Starts a module of the Python class `class`, `models.common.Conv`. Returns its number.
    pub fn module(&mut self, class: &str) -> Result<usize> {
        let class = c_string(class)?;
        // SAFETY: the builder is alive; the string outlives the call. The same holds for the other calls here.
        checked(|error| unsafe { yc_builder_module(self.builder.as_ptr(), class.as_ptr(), error) })?;
        self.modules += 1;
        Ok(self.modules - 1)
    }

    /// Registers module `child` as the attribute `name` of module `parent`.
    pub fn child(&mut self, parent: usize, name: &str, child: usize) -> Result<()> {
        let name = c_string(name)?;
        // SAFETY: as above; numbers out of range are an error.
        checked(|error| unsafe { yc_builder_child(self.builder.as_ptr(), parent, name.as_ptr(), child, error) })
    }

    /// Registers `tensor` as the attribute `name` of `module`.
    pub fn tensor(&mut self, module: usize, name: &str, tensor: &Tensor, role: TensorRole) -> Result<()> {
        let name = c_string(name)?;
        let is_buffer = c_int::from(role == TensorRole::Buffer);
        // SAFETY: as above; the module keeps a reference of its own to the tensor.
        checked(|error| unsafe {
            yc_builder_tensor(self.builder.as_ptr(), module, name.as_ptr(), tensor.as_ptr(), is_buffer, error)
        })
    }

    /// Defines methods of `module` in TorchScript, after what they use was registered.
    pub fn define(&mut self, module: usize, source: &str) -> Result<()> {
        let source = c_string(source)?;
        // SAFETY: as above.
        checked(|error| unsafe { yc_builder_define(self.builder.as_ptr(), module, source.as_ptr(), error) })
    }

    /// The module `root` with all below it, on `device`, prepared as a loaded one.
    pub fn finish(self, root: usize, device: tch::Device) -> Result<ScriptModule> {
        let device = c_string(&device_name(device))?;
        // SAFETY: as above.
        guarded(|error| unsafe { yc_builder_finish(self.builder.as_ptr(), root, device.as_ptr(), error) })
            .map(ScriptModule)
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        // SAFETY: made by yc_builder_new, freed once.
        unsafe { yc_builder_free(self.builder.as_ptr()) }
    }
}

/// A forward graph that returns raw outputs, level inputs and tapped layers.
pub(super) struct TappedGraph {
    graph: NonNull<RawGraph>,
    n_outputs: usize,
    n_starts: usize,
    n_taps: usize,
}

// SAFETY: as for `ScriptModule`; the graph is this handle's own.
unsafe impl Send for TappedGraph {}

impl TappedGraph {
    /// Rewrites the forward graph of `module`.
    pub fn new(module: &ScriptModule, ends: &Ends, taps: &[&str], tap: Tap) -> Result<Self> {
        let (n_outputs, n_starts, n_taps) = (ends.outputs.len(), ends.starts.len(), taps.len());
        let (outputs, starts, taps) = (CStrings::new(ends.outputs)?, CStrings::new(ends.starts)?, CStrings::new(taps)?);
        let gradients = c_int::from(tap == Tap::Gradient);
        // SAFETY: module and strings outlive the call. The graph keeps the weights alive by itself.
        let graph = guarded(|error| unsafe {
            let (outputs, starts, taps) = (outputs.as_ptr(), starts.as_ptr(), taps.as_ptr());
            yc_graph_new(module.0.as_ptr(), outputs, n_outputs, starts, n_starts, taps, n_taps, gradients, error)
        })?;
        Ok(Self { graph, n_outputs, n_starts, n_taps })
    }

    /// The part of the forward graph of `module` from what the call `start` is given to what the call `output` gives, which
    /// is its only output.
    ///
    /// # Errors
    /// If the output is computed from anything else.
    pub fn between(module: &ScriptModule, start: &str, output: &str) -> Result<Self> {
        let (start, output) = (c_string(start)?, c_string(output)?);
        // SAFETY: as above.
        let graph =
            guarded(|error| unsafe { yc_graph_between(module.0.as_ptr(), start.as_ptr(), output.as_ptr(), error) })?;
        Ok(Self { graph, n_outputs: 1, n_starts: 0, n_taps: 0 })
    }

    /// Runs the graph.
    ///
    /// `input`: f32 on the module's device, `[N, 3, H, W]` for a whole network.
    pub fn run(&mut self, input: &Tensor) -> Result<Forward> {
        let mut outputs = vec![ptr::null_mut(); self.n_outputs + self.n_starts + self.n_taps];
        let Room { most, all } = Room::of(input);
        // SAFETY: graph and input are alive, `outputs` has the room that the graph fills.
        checked(|error| unsafe {
            yc_graph_run(self.graph.as_ptr(), input.as_ptr(), most, all, outputs.as_mut_ptr(), error)
        })?;
        // SAFETY: after success each entry is a tensor that we own.
        let mut outputs: Vec<Tensor> = outputs.into_iter().map(|output| unsafe { Tensor::from_ptr(output) }).collect();
        let taps = outputs.split_off(self.n_outputs + self.n_starts);
        let level_inputs = outputs.split_off(self.n_outputs);
        Ok(Forward { outputs: as_maps(outputs)?, level_inputs, taps })
    }
}

impl Drop for TappedGraph {
    fn drop(&mut self) {
        // SAFETY: made by yc_graph_new, freed once.
        unsafe { yc_graph_free(self.graph.as_ptr()) }
    }
}

/// What lies behind a layer, to be run again and again with something else in the layer's place.
///
/// It reads the weights of the module, which must not change meanwhile: hence the borrow.
pub(crate) struct Tail<'a> {
    tail: NonNull<RawTail>,
    _module: PhantomData<&'a ScriptModule>,
    n_outputs: usize,
    /// For one picture.
    room: Room,
}

impl<'a> Tail<'a> {
    /// The part of the forward graph of `module` behind the call `tap`.
    pub(in crate::model) fn new(module: &'a ScriptModule, outputs: &[&str], tap: &str) -> Result<Self> {
        let n_outputs = outputs.len();
        let (outputs, tap) = (CStrings::new(outputs)?, c_string(tap)?);
        // SAFETY: module and strings outlive the call. The tail keeps the weights alive by itself.
        let tail = guarded(|error| unsafe {
            yc_tail_new(module.0.as_ptr(), outputs.as_ptr(), n_outputs, tap.as_ptr(), error)
        })?;
        Ok(Self { tail, _module: PhantomData, n_outputs, room: Room::default() })
    }

    /// Runs what lies before the layer, and keeps of it what lies behind needs. Returns the layer's output.
    ///
    /// `input`: `[1, 3, H, W]` f32 on the module's device.
    pub fn start(&mut self, input: &Tensor) -> Result<Tensor> {
        self.room = Room::of(input);
        let Room { most, all } = self.room;
        // SAFETY: tail and input are alive.
        let tapped = guarded(|error| unsafe { yc_tail_start(self.tail.as_ptr(), input.as_ptr(), most, all, error) })?;
        // SAFETY: after success it is a tensor that we own.
        Ok(unsafe { Tensor::from_ptr(tapped.as_ptr()) })
    }

    /// The raw outputs with `replacement` `[N, K, h, w]` in the layer's place.
    pub fn run(&mut self, replacement: &Tensor) -> Result<Vec<Tensor>> {
        let mut outputs = vec![ptr::null_mut(); self.n_outputs];
        let Room { most, all } = self.room.times(replacement.size().first().map_or(1, |&pictures| pictures as usize));
        // SAFETY: tail and tensor are alive, `outputs` has the room that the graph fills.
        checked(|error| unsafe {
            yc_tail_run(self.tail.as_ptr(), replacement.as_ptr(), most, all, outputs.as_mut_ptr(), error)
        })?;
        // SAFETY: after success each entry is a tensor that we own.
        as_maps(outputs.into_iter().map(|output| unsafe { Tensor::from_ptr(output) }).collect())
    }
}

/// A vector for each picture, `[N, C]`, is a map of one cell.
fn as_maps(outputs: Vec<Tensor>) -> Result<Vec<Tensor>> {
    let as_map = |output: Tensor| match output.size().as_slice() {
        &[pictures, channels] => Ok(output.f_view([pictures, channels, 1, 1])?),
        _ => Ok(output),
    };
    outputs.into_iter().map(as_map).collect()
}

impl Drop for Tail<'_> {
    fn drop(&mut self) {
        // SAFETY: made by yc_tail_new, freed once.
        unsafe { yc_tail_free(self.tail.as_ptr()) }
    }
}

/// How many bytes tensors may take during a forward pass: each, and all together.
#[derive(Debug, Clone, Copy, Default)]
struct Room {
    most: usize,
    all: usize,
}

impl Room {
    /// For the input of a network.
    fn of(input: &Tensor) -> Self {
        let most = input.numel().saturating_mul(Limits::BYTES_PER_INPUT_VALUE).max(Limits::TENSOR_BYTES);
        Self { most, all: most.saturating_mul(Limits::TENSORS_PER_FORWARD) }
    }

    /// For so many pictures.
    fn times(self, pictures: usize) -> Self {
        Self { most: self.most.saturating_mul(pictures), all: self.all.saturating_mul(pictures) }
    }
}

/// Runs what recurses as deep as a file wants to, within its limits.
fn on_a_roomy_stack<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    const BYTES: usize = 256 << 20;
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(BYTES).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| Error::Libtorch(format!("no thread can be started: {error}")))?;
        thread.join().unwrap_or_else(|_| Err(Error::Libtorch("loading broke off".into())))
    })
}

/// C strings with the array of pointers that C wants.
struct CStrings {
    _strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl CStrings {
    fn new(items: &[&str]) -> Result<Self> {
        let strings = items.iter().map(|item| c_string(item)).collect::<Result<Vec<_>>>()?;
        let pointers = strings.iter().map(|string| string.as_ptr()).collect();
        Ok(Self { _strings: strings, pointers })
    }

    fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }

    fn len(&self) -> usize {
        self.pointers.len()
    }
}

fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::Libtorch(format!("{text:?} has a zero byte inside")))
}

/// A path as the system has it, which may be no UTF-8.
fn c_path(path: &Path) -> Result<CString> {
    let text = path.as_os_str().as_encoded_bytes();
    CString::new(text).map_err(|_| Error::Libtorch(format!("{path:?} has a zero byte inside")))
}

fn device_name(device: tch::Device) -> String {
    match device {
        tch::Device::Cpu => "cpu".to_owned(),
        tch::Device::Cuda(index) => format!("cuda:{index}"),
        tch::Device::Mps => "mps".to_owned(),
        tch::Device::Vulkan => "vulkan".to_owned(),
    }
}

/// Runs a function of the shim that returns null on failure.
fn guarded<T>(call: impl FnOnce(*mut *mut c_char) -> *mut T) -> Result<NonNull<T>> {
    let mut error = ptr::null_mut();
    // SAFETY: the shim sets the error to a string of ours, or leaves it null.
    NonNull::new(call(&mut error)).ok_or_else(|| unsafe { take_error(error) })
}

/// Runs a function of the shim that returns 0 on success.
fn checked(call: impl FnOnce(*mut *mut c_char) -> c_int) -> Result<()> {
    let mut error = ptr::null_mut();
    match call(&mut error) {
        0 => Ok(()),
        // SAFETY: as above.
        _ => Err(unsafe { take_error(error) }),
    }
}

/// # Safety
/// `error` is null or a string of the shim that nobody else owns.
unsafe fn take_error(error: *mut c_char) -> Error {
    // SAFETY: the caller's promise.
    let message = unsafe { take_string(error) };
    Error::Libtorch(one_line(&message.unwrap_or_default()))
}

/// # Safety
/// `string` is null or a string of the shim that nobody else owns.
unsafe fn take_string(string: *mut c_char) -> Option<String> {
    if string.is_null() {
        return None;
    }
    // SAFETY: the caller's promise; freed once, after the copy.
    unsafe {
        let text = borrow_string(string);
        yc_string_free(string);
        Some(text)
    }
}

/// # Safety
/// `string` is a C string that lives during the call.
unsafe fn borrow_string(string: *const c_char) -> String {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    /// Kernel, stride, padding, dilation and groups.
    type Shape = (i64, [i64; 2], [i64; 2], [i64; 2], i64);

    const SHAPES: [Shape; 9] = [
        (1, [1, 1], [0, 0], [1, 1], 1),
        (1, [2, 2], [0, 0], [1, 1], 1),
        (1, [1, 1], [0, 0], [1, 1], 2),
        (3, [1, 1], [1, 1], [1, 1], 1),
        (3, [2, 2], [1, 1], [1, 1], 1),
        (3, [1, 1], [2, 2], [2, 2], 1),
        (3, [1, 2], [0, 1], [1, 1], 4),
        (6, [2, 2], [2, 2], [1, 1], 1),
        (4, [3, 1], [5, 0], [1, 2], 2),
    ];

    /// A layer that passes its input on, and a convolution behind it.
    fn network((_, stride, padding, dilation, groups): Shape, weight: &Tensor, bias: &Tensor) -> ScriptModule {
        let mut builder = Builder::new().unwrap();
        let [root, before, conv] = ["Root", "Before", "Conv2d"].map(|class| builder.module(class).unwrap());
        builder.define(before, "def forward(self, x):\n    return x * 2.0\n").unwrap();
        builder.tensor(conv, "weight", weight, TensorRole::Parameter).unwrap();
        builder.tensor(conv, "bias", bias, TensorRole::Parameter).unwrap();
        let call = format!("torch.conv2d(x, self.weight, self.bias, {stride:?}, {padding:?}, {dilation:?}, {groups})");
        builder.define(conv, &format!("def forward(self, x):\n    return {call}\n")).unwrap();
        builder.child(root, "before", before).unwrap();
        builder.child(root, "conv", conv).unwrap();
        builder.define(root, "def forward(self, x):\n    return self.conv.forward(self.before.forward(x))\n").unwrap();
        builder.finish(root, Device::Cpu).unwrap()
    }

    /// To 1e-5 of the largest.
    fn is_close(found: &Tensor, expected: &Tensor) -> bool {
        let most = |tensor: Tensor| f64::try_from(tensor.abs().max()).unwrap();
        found.size() == expected.size() && most(found - expected) <= 1e-5 * most(expected.shallow_clone())
    }

    fn gradient(of: &Tensor, to: &Tensor) -> Tensor {
        Tensor::run_backward(&[of.sum(Kind::Float)], &[to], true, false).remove(0)
    }

    #[test]
    fn the_gradient_of_a_part_of_a_convolution_is_libtorchs() {
        tch::manual_seed(0);
        let ends = Ends { outputs: &["conv"], starts: &[] };
        for shape @ (kernel, stride, padding, dilation, groups) in SHAPES {
            let weight = Tensor::randn([8, 8 / groups, kernel, kernel], (Kind::Float, Device::Cpu));
            let bias = Tensor::randn([8], (Kind::Float, Device::Cpu));
            let input = Tensor::randn([1, 8, 21, 17], (Kind::Float, Device::Cpu));
            let mut graph =
                TappedGraph::new(&network(shape, &weight, &bias), &ends, &["before"], Tap::Gradient).unwrap();
            for threads in [1, 2] {
                tch::set_num_threads(threads);
                let Forward { outputs, taps, .. } = graph.run(&input).unwrap();
                let twice = (&input * 2.0).set_requires_grad(true);
                let expected = twice.conv2d(&weight, Some(&bias), stride, padding, dilation, groups);
                assert!(is_close(&outputs[0].detach(), &expected.detach()), "{shape:?}");
                let &[_, _, height, width] = outputs[0].size().as_slice() else { panic!("it is a map") };
                // Rows and columns whose gradient is asked for.
                let parts = [
                    (0, 1, 0, 1),
                    (height - 1, 1, width - 1, 1),
                    (height / 2, 1, width / 3, 2),
                    (0, height, width - 1, 1),
                    (0, height, 0, width),
                ];
                for part @ (row, rows, column, columns) in parts {
                    let cut = |map: &Tensor| map.narrow(2, row, rows).narrow(3, column, columns).square();
                    let (found, expected) = (gradient(&cut(&outputs[0]), &taps[0]), gradient(&cut(&expected), &twice));
                    assert!(is_close(&found, &expected), "{shape:?}, {part:?}, {threads} threads");
                }
                let nothing = gradient(&(&outputs[0] * 0.0), &taps[0]);
                assert!(is_close(&nothing, &input.zeros_like()), "{shape:?}");
            }
        }
    }
}
