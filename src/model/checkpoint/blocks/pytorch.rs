//! PyTorch's own modules, `torch.nn`.

use super::{Block, Collection};
use crate::model::checkpoint::view::ModuleView;

pub(super) const BLOCKS: Collection = Collection {
    name: "PyTorch",
    source: "https://github.com/pytorch/pytorch",
    modules: &["torch"],
    blocks: &[
        Block::unchecked("ModuleList", container),
        // Its rows are taken by its owner.
        Block::unchecked("Embedding", container),
        Block::unchecked("Sequential", sequential),
        Block::unchecked("Conv1d", conv1d),
        Block::unchecked("Conv2d", conv2d),
        Block::unchecked("ConvTranspose2d", conv_transpose2d),
        Block::unchecked("BatchNorm2d", batch_norm),
        Block::unchecked("SyncBatchNorm", batch_norm),
        Block::unchecked("GroupNorm", group_norm),
        Block::unchecked("LayerNorm", layer_norm),
        Block::unchecked("Softmax", softmax),
        Block::unchecked("Linear", linear),
        Block::unchecked("NonDynamicallyQuantizableLinear", linear),
        Block::unchecked("MultiheadAttention", multihead_attention),
        Block::unchecked("MaxPool2d", max_pool),
        Block::unchecked("AdaptiveAvgPool2d", adaptive_average_pool),
        Block::unchecked("AdaptiveMaxPool2d", adaptive_max_pool),
        Block::unchecked("Upsample", upsample),
        Block::unchecked("PixelShuffle", |module| {
            Ok(format!("return torch.pixel_shuffle(x, {})", module.count("upscale_factor")?))
        }),
        Block::unchecked("Unfold", unfold),
        Block::unchecked("ZeroPad2d", zero_pad),
        Block::unchecked("Identity", identity),
        Block::unchecked("Dropout", identity),
        Block::unchecked("SiLU", silu),
        Block::unchecked("Hardswish", hardswish),
        Block::unchecked("ReLU", |_| Ok("return torch.relu_(x)".into())),
        Block::unchecked("LeakyReLU", |module| call("leaky_relu_", module, &["negative_slope"])),
        Block::unchecked("Mish", mish),
        Block::unchecked("ReLU6", |_| Ok("return torch.clamp(x, 0.0, 6.0)".into())),
        Block::unchecked("CELU", |module| call("celu", module, &["alpha"])),
        Block::unchecked("ELU", |module| call("elu", module, &["alpha"])),
        Block::unchecked("GELU", gelu),
        Block::unchecked("Hardshrink", |module| call("hardshrink", module, &["lambd"])),
        Block::unchecked("Hardsigmoid", |module| call("hardsigmoid", module, &[])),
        Block::unchecked("Hardtanh", |module| call("hardtanh", module, &["min_val", "max_val"])),
        Block::unchecked("LogSigmoid", |module| call("log_sigmoid", module, &[])),
        Block::unchecked("PReLU", |_| Ok("return torch.prelu(x, self.weight)".into())),
        Block::unchecked("RReLU", rrelu),
        Block::unchecked("SELU", |module| call("selu", module, &[])),
        Block::unchecked("Sigmoid", |module| call("sigmoid", module, &[])),
        Block::unchecked("Softplus", |module| call("softplus", module, &["beta", "threshold"])),
        Block::unchecked("Softshrink", |module| call("softshrink", module, &["lambd"])),
        Block::unchecked("Softsign", |_| Ok("return x / (torch.abs(x) + 1.0)".into())),
        Block::unchecked("Tanh", |module| call("tanh", module, &[])),
        Block::unchecked("Tanhshrink", |_| Ok("return x - torch.tanh(x)".into())),
        Block::unchecked("Threshold", |module| call("threshold", module, &["threshold", "value"])),
    ],
};

/// In place, here and below, as Ultralytics sets activations: what they are applied to is used nowhere else.
pub(super) fn silu(_: &ModuleView) -> Result<String, String> {
    Ok("return torch.silu_(x)".into())
}

pub(super) fn hardswish(_: &ModuleView) -> Result<String, String> {
    Ok("return torch.hardswish_(x)".into())
}

pub(super) fn mish(_: &ModuleView) -> Result<String, String> {
    Ok("return torch.mish(x)".into())
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

fn conv1d(module: &ModuleView) -> Result<String, String> {
    let [stride, padding, dilation] =
        ["stride", "padding", "dilation"].map(|name| match module.ints(name)?.as_slice() {
            &[value] => Ok(value),
            other => Err(format!("{} has {} values for {name:?}, expected 1", module.class(), other.len())),
        });
    let (bias, groups) = (bias(module), module.int("groups")?);
    zero_padded(module)?;
    Ok(format!("return torch.conv1d(x, self.weight, {bias}, [{}], [{}], [{}], {groups})", stride?, padding?, dilation?))
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

fn group_norm(module: &ModuleView) -> Result<String, String> {
    let (groups, eps) = (module.count("num_groups")?, module.float("eps")?);
    let [weight, bias] = optional_tensors(module);
    Ok(format!("return torch.group_norm(x, {groups}, {weight}, {bias}, {eps:?}, False)"))
}

fn layer_norm(module: &ModuleView) -> Result<String, String> {
    let shape = module.ints("normalized_shape")?;
    let [weight, bias] = optional_tensors(module);
    Ok(format!("return torch.layer_norm(x, {shape:?}, {weight}, {bias}, {:?})", module.float("eps")?))
}

/// Weight and bias of a normalisation, which may have neither.
fn optional_tensors(module: &ModuleView) -> [String; 2] {
    ["weight", "bias"].map(|name| if module.has_tensor(name) { format!("self.{name}") } else { "None".to_owned() })
}

fn softmax(module: &ModuleView) -> Result<String, String> {
    Ok(format!("return torch.softmax(x, {})", module.int("dim")?))
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
    Ok(format!("return torch.adaptive_avg_pool2d(x, {})", output_size(module)?))
}

fn adaptive_max_pool(module: &ModuleView) -> Result<String, String> {
    Ok(format!("return torch.adaptive_max_pool2d(x, {})[0]", output_size(module)?))
}

/// `[2, 2]`, or the input's own size where a side is none.
fn output_size(module: &ModuleView) -> Result<String, String> {
    let [height, width] = module.sides("output_size")?;
    let side = |side: Option<i64>, dim: usize| side.map_or_else(|| format!("x.size({dim})"), |side| side.to_string());
    Ok(format!("[{}, {}]", side(height, 2), side(width, 3)))
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

/// The values in each window, `[N, channels · values, windows]`.
fn unfold(module: &ModuleView) -> Result<String, String> {
    let [kernel, dilation, padding, stride] =
        ["kernel_size", "dilation", "padding", "stride"].map(|name| pair(module, name));
    Ok(format!("return torch.im2col(x, {}, {}, {}, {})", kernel?, dilation?, padding?, stride?))
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
