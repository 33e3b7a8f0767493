//! The forward of each block class, in TorchScript. One function each; a new class is one more arm in [`forward`].
//!
//! Ultralytics YOLOv5 v3 to v7, `models/common.py`, `models/experimental.py`, `models/yolo.py`, and PyTorch's modules.

use super::network::ModuleView;

/// The TorchScript source of a module's forward; `None` for a container that is never called itself.
///
/// The error names what the module lacks.
pub(super) fn forward(module: &ModuleView) -> Result<Option<String>, String> {
    let body = match module.class_name() {
        "ModuleList" => return Ok(None),
        "Conv" | "DWConv" => conv(module),
        "Focus" => focus(),
        "Bottleneck" | "CrossConv" => bottleneck(module)?,
        "BottleneckCSP" => bottleneck_csp(),
        "C3" | "C3x" | "C3TR" | "C3SPP" | "C3Ghost" => c3(),
        "SPP" => spp(module),
        "SPPF" => sppf(),
        "GhostConv" => ghost_conv(),
        "GhostBottleneck" => ghost_bottleneck(),
        "TransformerBlock" => transformer_block(module)?,
        "TransformerLayer" => transformer_layer(),
        "MultiheadAttention" => multihead_attention(module)?,
        "Contract" => contract(module)?,
        "Expand" => expand(module)?,
        "Proto" => proto(),
        "Concat" => return concat(module).map(Some),
        "Detect" | "Segment" => return Ok(Some(detect(module))),
        "Sequential" => sequential(module),
        "Conv2d" => conv2d(module)?,
        "BatchNorm2d" => batch_norm(module)?,
        "Linear" | "NonDynamicallyQuantizableLinear" => linear(module),
        "MaxPool2d" => max_pool(module)?,
        "Upsample" => upsample(module)?,
        "ZeroPad2d" => zero_pad(module)?,
        "Identity" | "Dropout" => "return x".into(),
        // In place, as Ultralytics sets them: what they are applied to is used nowhere else.
        "SiLU" => "return torch.silu_(x)".into(),
        "ReLU" => "return torch.relu_(x)".into(),
        "ReLU6" => "return torch.clamp(x, 0.0, 6.0)".into(),
        "LeakyReLU" => format!("return torch.leaky_relu_(x, {})", module.float("negative_slope")?),
        "Hardswish" => "return torch.hardswish_(x)".into(),
        "Mish" | "MemoryEfficientMish" => "return torch.mish(x)".into(),
        _ => return Err(format!("{} is no block that can be run", module.class())),
    };
    let lines: Vec<String> = body.lines().map(|line| format!("    {}", line.trim())).collect();
    Ok(Some(format!("def forward(self, x):\n{}\n", lines.join("\n"))))
}

fn conv(module: &ModuleView) -> String {
    // A fused convolution has lost its normalisation.
    let normalised =
        if module.has_child("bn") { "self.bn.forward(self.conv.forward(x))" } else { "self.conv.forward(x)" };
    if module.has_child("act") {
        format!("return self.act.forward({normalised})")
    } else {
        format!("return {normalised}")
    }
}

fn focus() -> String {
    "return self.conv.forward(torch.cat([x[:, :, ::2, ::2], x[:, :, 1::2, ::2], x[:, :, ::2, 1::2], x[:, :, 1::2, 1::2]], 1))"
        .into()
}

fn bottleneck(module: &ModuleView) -> Result<String, String> {
    let shortcut = if module.bool("add")? { "x + " } else { "" };
    Ok(format!("return {shortcut}self.cv2.forward(self.cv1.forward(x))"))
}

fn bottleneck_csp() -> String {
    "y1 = self.cv3.forward(self.m.forward(self.cv1.forward(x)))
     y2 = self.cv2.forward(x)
     return self.cv4.forward(self.act.forward(self.bn.forward(torch.cat([y1, y2], 1))))"
        .into()
}

fn c3() -> String {
    "return self.cv3.forward(torch.cat([self.m.forward(self.cv1.forward(x)), self.cv2.forward(x)], 1))".into()
}

fn spp(module: &ModuleView) -> String {
    let pools = module.children_of("m").map(|index| format!(", getattr(self.m, \"{index}\").forward(x)"));
    format!("x = self.cv1.forward(x)\nreturn self.cv2.forward(torch.cat([x{}], 1))", pools.collect::<String>())
}

fn sppf() -> String {
    "x = self.cv1.forward(x)
     y1 = self.m.forward(x)
     y2 = self.m.forward(y1)
     return self.cv2.forward(torch.cat([x, y1, y2, self.m.forward(y2)], 1))"
        .into()
}

fn ghost_conv() -> String {
    "y = self.cv1.forward(x)
     return torch.cat([y, self.cv2.forward(y)], 1)"
        .into()
}

fn ghost_bottleneck() -> String {
    "return self.conv.forward(x) + self.shortcut.forward(x)".into()
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

fn transformer_layer() -> String {
    "x = self.ma.forward(torch.cat([self.q.forward(x), self.k.forward(x), self.v.forward(x)], 2)) + x
     return self.fc2.forward(self.fc1.forward(x)) + x"
        .into()
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

fn contract(module: &ModuleView) -> Result<String, String> {
    let s = module.int("gain")?;
    Ok(format!(
        "x = x.reshape([x.size(0), x.size(1), x.size(2) // {s}, {s}, x.size(3) // {s}, {s}]).permute([0, 3, 5, 1, 2, 4])
         return x.reshape([x.size(0), x.size(1) * x.size(2) * x.size(3), x.size(4), x.size(5)])"
    ))
}

fn expand(module: &ModuleView) -> Result<String, String> {
    let s = module.int("gain")?;
    Ok(format!(
        "x = x.reshape([x.size(0), {s}, {s}, x.size(1) // {s} // {s}, x.size(2), x.size(3)]).permute([0, 3, 4, 1, 5, 2])
         return x.reshape([x.size(0), x.size(1), x.size(2) * {s}, x.size(4) * {s}])"
    ))
}

fn proto() -> String {
    "return self.cv3.forward(self.cv2.forward(self.upsample.forward(self.cv1.forward(x))))".into()
}

fn concat(module: &ModuleView) -> Result<String, String> {
    let inputs = inputs(module.inputs());
    Ok(format!("def forward(self, {inputs}):\n    return torch.cat([{inputs}], {})\n", module.int("d")?))
}

/// The raw heads: decoding is not the network's business here.
fn detect(module: &ModuleView) -> String {
    let heads = (0..module.inputs()).map(|index| format!("getattr(self.m, \"{index}\").forward(x{index})"));
    let heads = heads.collect::<Vec<_>>().join(", ");
    format!("def forward(self, {}):\n    return [{heads}]\n", inputs(module.inputs()))
}

fn inputs(count: usize) -> String {
    (0..count).map(|index| format!("x{index}")).collect::<Vec<_>>().join(", ")
}

fn sequential(module: &ModuleView) -> String {
    let steps = module.children().map(|name| format!("x = getattr(self, \"{name}\").forward(x)\n"));
    format!("{}return x", steps.collect::<String>())
}

fn conv2d(module: &ModuleView) -> Result<String, String> {
    let [stride, padding, dilation] =
        [module.pair("stride")?, module.pair("padding")?, module.pair("dilation")?].map(|[a, b]| format!("[{a}, {b}]"));
    let bias = if module.has_tensor("bias") { "self.bias" } else { "None" };
    Ok(format!(
        "return torch.conv2d(x, self.weight, {bias}, {stride}, {padding}, {dilation}, {})",
        module.int("groups")?
    ))
}

fn batch_norm(module: &ModuleView) -> Result<String, String> {
    let eps = module.float("eps")?;
    Ok(format!(
        "return torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, False, 0.0, {eps}, False)"
    ))
}

fn linear(module: &ModuleView) -> String {
    let bias = if module.has_tensor("bias") { "self.bias" } else { "None" };
    format!("return torch.linear(x, self.weight, {bias})")
}

fn max_pool(module: &ModuleView) -> Result<String, String> {
    let [kernel, stride, padding] = [module.pair("kernel_size")?, module.pair("stride")?, module.pair("padding")?]
        .map(|[a, b]| format!("[{a}, {b}]"));
    Ok(format!("return torch.max_pool2d(x, {kernel}, {stride}, {padding}, [1, 1], False)"))
}

fn upsample(module: &ModuleView) -> Result<String, String> {
    match module.text("mode") {
        Some("nearest") => {
            Ok(format!("return torch.upsample_nearest2d(x, None, [{0}, {0}])", module.float("scale_factor")?))
        }
        other => Err(format!("upsampling by {other:?} is not supported, only \"nearest\"")),
    }
}

fn zero_pad(module: &ModuleView) -> Result<String, String> {
    let sides = module.ints("padding")?.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    Ok(format!("return torch.constant_pad_nd(x, [{sides}], 0.0)"))
}
