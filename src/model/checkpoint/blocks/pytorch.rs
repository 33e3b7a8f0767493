//! PyTorch's own modules, `torch.nn`.

use super::Forward;
use crate::model::checkpoint::view::ModuleView;

/// The forward of the class `name`.
pub(super) fn find(name: &str) -> Option<Forward> {
    let forward: Forward = match name {
        // The rows of an embedding are taken by its owner.
        "ModuleList" | "Embedding" => container,
        "Sequential" => sequential,
        "Conv2d" => conv2d,
        "ConvTranspose2d" => conv_transpose2d,
        "BatchNorm2d" | "SyncBatchNorm" => batch_norm,
        "LayerNorm" => layer_norm,
        "Linear" | "NonDynamicallyQuantizableLinear" => linear,
        "MultiheadAttention" => multihead_attention,
        "MaxPool2d" => max_pool,
        "AdaptiveAvgPool2d" => adaptive_average_pool,
        "Upsample" => upsample,
        "ZeroPad2d" => zero_pad,
        "Identity" | "Dropout" => identity,
        name => return activation(name),
    };
    Some(forward)
}

/// The element-wise activations, by the names of PyTorch and of YOLOv5's `utils/activations.py`.
pub(super) fn activation(name: &str) -> Option<Forward> {
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

fn conv2d(module: &ModuleView) -> Result<String, String> {
    let [stride, padding, dilation] = ["stride", "padding", "dilation"].map(|name| pair(module, name));
    let (bias, groups) = (bias(module), module.int("groups")?);
    zero_padded(module)?;
    Ok(format!("return torch.conv2d(x, self.weight, {bias}, {}, {}, {}, {groups})", stride?, padding?, dilation?))
}

pub(super) fn conv_transpose2d(module: &ModuleView) -> Result<String, String> {
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

fn layer_norm(module: &ModuleView) -> Result<String, String> {
    let sides = module.ints("normalized_shape")?.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let weight = if module.has_tensor("weight") { "self.weight" } else { "None" };
    Ok(format!("return torch.layer_norm(x, [{sides}], {weight}, {}, {:?})", bias(module), module.float("eps")?))
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

fn adaptive_average_pool(module: &ModuleView) -> Result<String, String> {
    Ok(format!("return torch.adaptive_avg_pool2d(x, {})", pair(module, "output_size")?))
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
