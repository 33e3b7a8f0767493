//! The forward of each block class, in TorchScript. One function each; a new class is one more line in [`find`].
//!
//! Ultralytics YOLOv5 v3 to v7, `models/common.py`, `models/experimental.py`, `models/yolo.py`, and PyTorch's modules.

use super::network::ModuleView;

/// Writes the body of a module's forward, which takes what [`ModuleView::inputs`] names; empty for a container that is
/// never called itself. The error names what the module lacks.
pub(super) type Forward = fn(&ModuleView) -> Result<String, String>;

/// The forward of the class `name` of the Python module `module`; `None` if YOLOv5 has no such block.
pub(super) fn find(module: &str, name: &str) -> Option<Forward> {
    // The package on PyPI has the same classes one level deeper.
    let module = module.strip_prefix("yolov5.").unwrap_or(module);
    let package = module.split('.').next().unwrap_or_default();
    let forward: Forward = match (package, name) {
        ("models", "Conv" | "DWConv") => conv,
        ("models", "DWConvTranspose2d") | ("torch", "ConvTranspose2d") => conv_transpose2d,
        ("models", "MixConv2d") => mix_conv2d,
        ("models", "Focus") => focus,
        ("models", "Bottleneck" | "CrossConv") => bottleneck,
        ("models", "BottleneckCSP") => bottleneck_csp,
        ("models", "C3" | "C3x" | "C3TR" | "C3SPP" | "C3Ghost") => c3,
        ("models", "SPP") => spp,
        ("models", "SPPF") => sppf,
        ("models", "GhostConv") => ghost_conv,
        ("models", "GhostBottleneck") => ghost_bottleneck,
        ("models", "TransformerBlock") => transformer_block,
        ("models", "TransformerLayer") => transformer_layer,
        ("models", "Contract") => contract,
        ("models", "Expand") => expand,
        ("models", "Concat") => concat,
        ("models", "Sum") => sum,
        ("models", "Proto") => proto,
        ("models", "Detect") => detect,
        ("models", "Segment") => segment,
        ("torch", "ModuleList") => container,
        ("torch", "Sequential") => sequential,
        ("torch", "Conv2d") => conv2d,
        ("torch", "BatchNorm2d" | "SyncBatchNorm") => batch_norm,
        ("torch", "Linear" | "NonDynamicallyQuantizableLinear") => linear,
        ("torch", "MultiheadAttention") => multihead_attention,
        ("torch", "MaxPool2d") => max_pool,
        ("torch", "Upsample") => upsample,
        ("torch", "ZeroPad2d") => zero_pad,
        ("torch", "Identity" | "Dropout") => identity,
        ("models" | "utils", "FReLU") => frelu,
        ("models" | "utils", "AconC") => acon,
        ("models" | "utils", "MetaAconC") => meta_acon,
        ("torch" | "models" | "utils", name) => return activation(name),
        _ => return None,
    };
    Some(forward)
}

/// The element-wise activations of PyTorch, which the key `activation` of a YOLOv5 v7.0 model takes, and those of
/// `utils/activations.py` that do the same.
fn activation(name: &str) -> Option<Forward> {
    let forward: Forward = match name {
        // In place, as Ultralytics sets them: what they are applied to is used nowhere else.
        "SiLU" | "Swish" => |_| Ok("return torch.silu_(x)".into()),
        "Hardswish" => |_| Ok("return torch.hardswish_(x)".into()),
        "ReLU" => |_| Ok("return torch.relu_(x)".into()),
        "LeakyReLU" => |module| call("leaky_relu_", module, &["negative_slope"]),
        "Mish" | "MemoryEfficientMish" => |_| Ok("return torch.mish(x)".into()),
        "ReLU6" => |_| Ok("return torch.clamp(x, 0.0, 6.0)".into()),
        "CELU" => |module| call("celu", module, &["alpha"]),
        "ELU" => |module| call("elu", module, &["alpha"]),
        "GELU" => gelu,
        "Hardshrink" => |module| call("hardshrink", module, &["lambd"]),
        "Hardsigmoid" => |module| call("hardsigmoid", module, &[]),
        "Hardtanh" => |module| call("hardtanh", module, &["min_val", "max_val"]),
        "LogSigmoid" => |module| call("log_sigmoid", module, &[]),
        "PReLU" => |_| Ok("return torch.prelu(x, self.weight)".into()),
        "RReLU" => rrelu,
        "SELU" => |module| call("selu", module, &[]),
        "Sigmoid" => |module| call("sigmoid", module, &[]),
        "Softplus" => |module| call("softplus", module, &["beta", "threshold"]),
        "Softshrink" => |module| call("softshrink", module, &["lambd"]),
        "Softsign" => |_| Ok("return x / (torch.abs(x) + 1.0)".into()),
        "Tanh" => |module| call("tanh", module, &[]),
        "Tanhshrink" => |_| Ok("return x - torch.tanh(x)".into()),
        "Threshold" => |module| call("threshold", module, &["threshold", "value"]),
        _ => return None,
    };
    Some(forward)
}

/// An operator of PyTorch, with these attributes of the module behind the input.
fn call(operator: &str, module: &ModuleView, attributes: &[&str]) -> Result<String, String> {
    let values = attributes.iter().map(|name| Ok(format!(", {:?}", module.float(name)?)));
    Ok(format!("return torch.{operator}(x{})", values.collect::<Result<String, String>>()?))
}

/// PyTorch before 1.12 had no approximation.
fn gelu(module: &ModuleView) -> Result<String, String> {
    match module.text("approximate").unwrap_or("none") {
        kind @ ("none" | "tanh") => Ok(format!("return torch.gelu(x, approximate={kind:?})")),
        other => Err(format!("GELU approximated by {other:?} is not supported, only \"none\" and \"tanh\"")),
    }
}

/// Its slope is random only while training.
fn rrelu(module: &ModuleView) -> Result<String, String> {
    let slope = (module.float("lower")? + module.float("upper")?) / 2.0;
    Ok(format!("return torch.leaky_relu(x, {slope:?})"))
}

/// Funnel activation: Ma, Zhang and Sun, ECCV 2020, <https://arxiv.org/abs/2007.11824>.
fn frelu(_: &ModuleView) -> Result<String, String> {
    Ok("return torch.max(x, self.bn.forward(self.conv.forward(x)))".into())
}

/// Activate or not: Ma, Zhang, Liu and Sun, CVPR 2021, <https://arxiv.org/abs/2009.04759>.
fn acon(_: &ModuleView) -> Result<String, String> {
    Ok(format!("beta = self.beta\n{ACON}"))
}

/// The same, which learns from the picture whether to activate. Early versions normalise what it learns from.
fn meta_acon(module: &ModuleView) -> Result<String, String> {
    let steps = ["fc1", "bn1", "fc2", "bn2"].into_iter().filter(|step| module.has_child(step));
    let means = "x.mean([2], True).mean([3], True)".to_owned();
    let beta = steps.fold(means, |input, step| format!("self.{step}.forward({input})"));
    Ok(format!("beta = torch.sigmoid({beta})\n{ACON}"))
}

const ACON: &str = "d = (self.p1 - self.p2) * x
    return d * torch.sigmoid(beta * d) + self.p2 * x";

fn container(_: &ModuleView) -> Result<String, String> {
    Ok(String::new())
}

fn identity(_: &ModuleView) -> Result<String, String> {
    Ok("return x".into())
}

fn sequential(module: &ModuleView) -> Result<String, String> {
    let steps = module.children().map(|name| format!("x = getattr(self, \"{name}\").forward(x)\n"));
    Ok(format!("{}return x", steps.collect::<String>()))
}

/// A convolution, its normalisation unless that is fused into it, its activation.
fn conv(module: &ModuleView) -> Result<String, String> {
    let steps = ["conv", "bn", "act"].into_iter().filter(|step| module.has_child(step));
    Ok(format!("return {}", steps.fold("x".to_owned(), |input, step| format!("self.{step}.forward({input})"))))
}

/// Of v5.0 with LeakyReLU it adds its input, of later versions with SiLU it does not.
fn mix_conv2d(module: &ModuleView) -> Result<String, String> {
    let shortcut = if module.child_class("act") == Some("LeakyReLU") { "x + " } else { "" };
    let convolutions = calls(module.children_of("m"), "x");
    Ok(format!("return {shortcut}self.act.forward(self.bn.forward(torch.cat([{convolutions}], 1)))"))
}

fn focus(_: &ModuleView) -> Result<String, String> {
    let corners = ["::2, ::2", "1::2, ::2", "::2, 1::2", "1::2, 1::2"].map(|corner| format!("x[:, :, {corner}]"));
    Ok(format!("return self.conv.forward(torch.cat([{}], 1))", corners.join(", ")))
}

fn bottleneck(module: &ModuleView) -> Result<String, String> {
    let shortcut = if module.bool("add")? { "x + " } else { "" };
    Ok(format!("return {shortcut}self.cv2.forward(self.cv1.forward(x))"))
}

fn bottleneck_csp(_: &ModuleView) -> Result<String, String> {
    Ok("y1 = self.cv3.forward(self.m.forward(self.cv1.forward(x)))
        y2 = self.cv2.forward(x)
        return self.cv4.forward(self.act.forward(self.bn.forward(torch.cat([y1, y2], 1))))"
        .into())
}

fn c3(_: &ModuleView) -> Result<String, String> {
    Ok("return self.cv3.forward(torch.cat([self.m.forward(self.cv1.forward(x)), self.cv2.forward(x)], 1))".into())
}

fn spp(module: &ModuleView) -> Result<String, String> {
    let pools = calls(module.children_of("m"), "x");
    Ok(format!("x = self.cv1.forward(x)\nreturn self.cv2.forward(torch.cat([x, {pools}], 1))"))
}

fn sppf(_: &ModuleView) -> Result<String, String> {
    Ok("x = self.cv1.forward(x)
        y1 = self.m.forward(x)
        y2 = self.m.forward(y1)
        return self.cv2.forward(torch.cat([x, y1, y2, self.m.forward(y2)], 1))"
        .into())
}

fn ghost_conv(_: &ModuleView) -> Result<String, String> {
    Ok("y = self.cv1.forward(x)
        return torch.cat([y, self.cv2.forward(y)], 1)"
        .into())
}

fn ghost_bottleneck(_: &ModuleView) -> Result<String, String> {
    Ok("return self.conv.forward(x) + self.shortcut.forward(x)".into())
}

fn transformer_block(module: &ModuleView) -> Result<String, String> {
    let conv = if module.has_child("conv") { "x = self.conv.forward(x)\n" } else { "" };
    Ok(format!(
        "{conv}p = x.flatten(2).permute([2, 0, 1])
         p = self.tr.forward(p + self.linear.forward(p))
         return p.permute([1, 2, 0]).reshape([x.size(0), {}, x.size(2), x.size(3)])",
        module.int("c2")?
    ))
}

fn transformer_layer(_: &ModuleView) -> Result<String, String> {
    Ok("x = self.ma.forward(torch.cat([self.q.forward(x), self.k.forward(x), self.v.forward(x)], 2)) + x
        return self.fc2.forward(self.fc1.forward(x)) + x"
        .into())
}

/// Of query, key and value `[L, N, E]`, joined in the last dimension. Scaled dot product attention without mask.
fn multihead_attention(module: &ModuleView) -> Result<String, String> {
    let heads = module.int("num_heads")?;
    let width = module.int("embed_dim")?;
    if width <= 0 || heads <= 0 || width % heads != 0 {
        return Err(format!("an attention of width {width} with {heads} heads makes no sense"));
    }
    let part = |index: i64| {
        let (from, to) = (index * width, (index + 1) * width);
        format!(
            "torch.linear(x[:, :, {from}:{to}], self.in_proj_weight[{from}:{to}], self.in_proj_bias[{from}:{to}])\
             .reshape([x.size(0), x.size(1) * {heads}, {}]).transpose(0, 1)",
            width / heads
        )
    };
    Ok(format!(
        "q = {}
         k = {}
         v = {}
         a = torch.softmax(torch.bmm(q, k.transpose(1, 2)) * {:?}, -1)
         return self.out_proj.forward(torch.bmm(a, v).transpose(0, 1).reshape([x.size(0), x.size(1), {width}]))",
        part(0),
        part(1),
        part(2),
        ((width / heads) as f64).powf(-0.5),
    ))
}

/// Moves pixels into channels.
fn contract(module: &ModuleView) -> Result<String, String> {
    let s = module.int("gain")?;
    Ok(format!(
        "x = x.reshape([x.size(0), x.size(1), x.size(2) // {s}, {s}, x.size(3) // {s}, {s}]).permute([0, 3, 5, 1, 2, 4])
         return x.reshape([x.size(0), x.size(1) * x.size(2) * x.size(3), x.size(4), x.size(5)])"
    ))
}

/// Moves channels into pixels.
fn expand(module: &ModuleView) -> Result<String, String> {
    let s = module.int("gain")?;
    Ok(format!(
        "x = x.reshape([x.size(0), {s}, {s}, x.size(1) // {s} // {s}, x.size(2), x.size(3)]).permute([0, 3, 4, 1, 5, 2])
         return x.reshape([x.size(0), x.size(1), x.size(2) * {s}, x.size(4) * {s}])"
    ))
}

fn concat(module: &ModuleView) -> Result<String, String> {
    Ok(format!("return torch.cat([{}], {})", module.inputs().join(", "), module.int("d")?))
}

/// Weighted, if it has weights: all inputs but the first.
fn sum(module: &ModuleView) -> Result<String, String> {
    let is_weighted = module.bool("weight")?;
    let inputs = module.inputs();
    let terms = inputs.iter().enumerate().map(|(index, input)| match index.checked_sub(1) {
        Some(weight) if is_weighted => format!("{input} * torch.sigmoid(self.w[{weight}]) * 2"),
        _ => input.clone(),
    });
    Ok(format!("return {}", terms.collect::<Vec<_>>().join(" + ")))
}

fn proto(_: &ModuleView) -> Result<String, String> {
    Ok("return self.cv3.forward(self.cv2.forward(self.upsample.forward(self.cv1.forward(x))))".into())
}

/// Boxes `[N, rows, 5 + classes]` in a tuple, as exported models give them: centre, width and height in pixels of the
/// input, then objectness and classes.
fn detect(module: &ModuleView) -> Result<String, String> {
    Ok(format!("{}return (torch.cat([{}], 1),)", decoded(module, 0)?, module.inputs().join(", ")))
}

/// The same with mask coefficients behind the classes, and the masks' prototypes.
fn segment(module: &ModuleView) -> Result<String, String> {
    let inputs = module.inputs();
    let first = inputs.first().ok_or("a head without input")?;
    let decoded = decoded(module, module.int("nm")?)?;
    Ok(format!("p = self.proto.forward({first})\n{decoded}return (torch.cat([{}], 1), p)", inputs.join(", ")))
}

/// Statements that make each input of a head the boxes decoded from it, `[N, rows, channels]`. The last `masks` channels
/// of a box stay as they are.
///
/// The grid is made from the size of the input, so that any will do; a trace holds the grid of one.
fn decoded(module: &ModuleView, masks: i64) -> Result<String, String> {
    let (anchors, channels) = (module.int("na")?, module.int("no")?);
    fits_convolutions(module, anchors, channels)?;
    // Up to v5.0 the sizes in pixels are a buffer of their own, which counts.
    let heads = module.inputs().len() as u64;
    let in_pixels = module.shape("anchor_grid") == Some(vec![heads, 1, anchors as u64, 1, 1, 2]);
    let anchor_sizes = |head| match in_pixels {
        true => format!("self.anchor_grid[{head}]"),
        false => format!("(self.anchors[{head}] * self.stride[{head}]).view([1, {anchors}, 1, 1, 2])"),
    };
    let classes_end = channels.checked_sub(masks).filter(|&end| end > 4).ok_or("a head without objectness")?;
    let decode = |(head, x): (usize, &String)| {
        format!(
            "{x} = getattr(self.m, \"{head}\").forward({x})
             n, h, w = {x}.size(0), {x}.size(2), {x}.size(3)
             {x} = {x}.reshape([n, {anchors}, {channels}, h, w]).permute([0, 1, 3, 4, 2])
             s = {x}[..., 0:{classes_end}].sigmoid()
             u = torch.arange(w, dtype={x}.dtype, device={x}.device).view([1, 1, 1, w, 1]) - 0.5
             v = torch.arange(h, dtype={x}.dtype, device={x}.device).view([1, 1, h, 1, 1]) - 0.5
             cx = (s[..., 0:1] * 2.0 + u) * self.stride[{head}]
             cy = (s[..., 1:2] * 2.0 + v) * self.stride[{head}]
             wh = (s[..., 2:4] * 2.0) ** 2 * {}
             {x} = torch.cat([cx, cy, wh, s[..., 4:], {x}[..., {classes_end}:]], -1).reshape([n, -1, {channels}])
             ",
            anchor_sizes(head)
        )
    };
    Ok(module.inputs().iter().enumerate().map(decode).collect())
}

/// Whether a head's attributes are those of its convolutions, as its own forward needs.
fn fits_convolutions(module: &ModuleView, anchors: i64, channels: i64) -> Result<(), String> {
    let list = module.child("m").ok_or("a head without convolutions")?;
    for head in 0..module.inputs().len() {
        let shape = list.child(&head.to_string()).and_then(|convolution| convolution.shape("weight"));
        let found = shape.and_then(|shape| shape.first().copied());
        if found != anchors.checked_mul(channels).map(|values| values as u64) {
            let found = found.map_or("no".to_owned(), |found| found.to_string());
            return Err(format!(
                "its head says na = {anchors} and no = {channels}, but convolution {head} of it has {found} channels"
            ));
        }
    }
    Ok(())
}

fn conv2d(module: &ModuleView) -> Result<String, String> {
    let [stride, padding, dilation] = ["stride", "padding", "dilation"].map(|name| pair(module, name));
    let (bias, groups) = (bias(module), module.int("groups")?);
    zero_padded(module)?;
    Ok(format!("return torch.conv2d(x, self.weight, {bias}, {}, {}, {}, {groups})", stride?, padding?, dilation?))
}

fn conv_transpose2d(module: &ModuleView) -> Result<String, String> {
    let [stride, padding, rest, dilation] =
        ["stride", "padding", "output_padding", "dilation"].map(|name| pair(module, name));
    let (bias, groups) = (bias(module), module.int("groups")?);
    zero_padded(module)?;
    Ok(format!(
        "return torch.conv_transpose2d(x, self.weight, {bias}, {}, {}, {}, {groups}, {})",
        stride?, padding?, rest?, dilation?
    ))
}

fn zero_padded(module: &ModuleView) -> Result<(), String> {
    match module.text("padding_mode") {
        None | Some("zeros") => Ok(()),
        Some(other) => Err(format!("padding by {other:?} is not supported, only \"zeros\"")),
    }
}

fn batch_norm(module: &ModuleView) -> Result<String, String> {
    let eps = module.float("eps")?;
    Ok(format!(
        "return torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, False, 0.0, {eps:?}, False)"
    ))
}

fn linear(module: &ModuleView) -> Result<String, String> {
    Ok(format!("return torch.linear(x, self.weight, {})", bias(module)))
}

fn max_pool(module: &ModuleView) -> Result<String, String> {
    let [kernel, stride, padding, dilation] =
        ["kernel_size", "stride", "padding", "dilation"].map(|name| pair(module, name));
    let ceil = if module.bool("ceil_mode")? { "True" } else { "False" };
    Ok(format!("return torch.max_pool2d(x, {}, {}, {}, {}, {ceil})", kernel?, stride?, padding?, dilation?))
}

fn upsample(module: &ModuleView) -> Result<String, String> {
    let factor = module.float("scale_factor")?;
    match module.text("mode") {
        Some("nearest") => Ok(format!("return torch.upsample_nearest2d(x, None, [{factor:?}, {factor:?}])")),
        Some("bilinear") => {
            let corners = if module.bool("align_corners").unwrap_or(false) { "True" } else { "False" };
            Ok(format!("return torch.upsample_bilinear2d(x, None, {corners}, [{factor:?}, {factor:?}])"))
        }
        other => Err(format!("upsampling by {other:?} is not supported, only \"nearest\" and \"bilinear\"")),
    }
}

fn zero_pad(module: &ModuleView) -> Result<String, String> {
    let sides = module.ints("padding")?.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    Ok(format!("return torch.constant_pad_nd(x, [{sides}], 0.0)"))
}

fn bias(module: &ModuleView) -> &'static str {
    if module.has_tensor("bias") { "self.bias" } else { "None" }
}

/// `[2, 2]`
fn pair(module: &ModuleView, name: &str) -> Result<String, String> {
    module.pair(name).map(|[first, second]| format!("[{first}, {second}]"))
}

/// What each module of the list `m` gives for `input`, separated by commas.
fn calls<'a>(names: impl Iterator<Item = &'a str>, input: &str) -> String {
    names.map(|name| format!("getattr(self.m, \"{name}\").forward({input})")).collect::<Vec<_>>().join(", ")
}
