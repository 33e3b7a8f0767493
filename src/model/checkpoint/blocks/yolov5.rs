//! The blocks of YOLOv5 v3 to v7: `models/common.py`, `models/experimental.py`, `models/yolo.py`, `utils/activations.py`.

use super::{Block, Collection, Task, pytorch};
use crate::model::checkpoint::view::ModuleView;

pub(super) const BLOCKS: Collection = Collection {
    name: "YOLOv5",
    source: "https://github.com/ultralytics/yolov5",
    modules: &["models", "utils"],
    blocks: &[
        Block::new("Conv", "conv bn? act", conv),
        Block::new("DWConv", "conv bn? act", conv),
        Block::new("DWConvTranspose2d", TRANSPOSED, pytorch::conv_transpose2d),
        Block::new("MixConv2d", "m bn act", mix_conv2d),
        Block::new("Focus", "conv", focus),
        Block::new("Bottleneck", "cv1 cv2 .add", bottleneck),
        Block::new("CrossConv", "cv1 cv2 .add", bottleneck),
        Block::new("BottleneckCSP", "cv1 cv2 cv3 cv4 bn act m", bottleneck_csp),
        Block::new("C3", "cv1 cv2 cv3 m", c3),
        Block::new("C3x", "cv1 cv2 cv3 m", c3),
        Block::new("C3TR", "cv1 cv2 cv3 m", c3),
        Block::new("C3SPP", "cv1 cv2 cv3 m", c3),
        Block::new("C3Ghost", "cv1 cv2 cv3 m", c3),
        Block::new("SPP", "cv1 cv2 m", spp),
        Block::new("SPPF", "cv1 cv2 m", sppf),
        Block::new("GhostConv", "cv1 cv2", ghost_conv),
        Block::new("GhostBottleneck", "conv shortcut", ghost_bottleneck),
        Block::new("TransformerBlock", "conv? linear tr .conv? .c2", transformer_block),
        Block::new("TransformerLayer", "q k v ma fc1 fc2", transformer_layer),
        Block::new("Contract", ".gain", contract),
        Block::new("Expand", ".gain", expand),
        Block::new("Concat", ".d", concat),
        Block::new("Sum", "w? .weight .iter?", sum),
        Block::new("Proto", "cv1 upsample cv2 cv3", proto),
        Block::new("FReLU", "conv bn", frelu),
        Block::new("AconC", "p1 p2 beta", acon),
        Block::new("MetaAconC", "fc1 bn1? fc2 bn2? p1 p2", meta_acon),
        Block::new("SiLU", "", pytorch::silu),
        Block::new("Swish", "", pytorch::silu),
        Block::new("Hardswish", "", pytorch::hardswish),
        Block::new("Mish", "", pytorch::mish),
        Block::new("MemoryEfficientMish", "", pytorch::mish),
        Block::new("Detect", DETECT, detect).head(Task::Detect),
        Block::new("Segment", SEGMENT, segment).head(Task::Segment),
        Block::new("Classify", "conv pool drop? linear", classify).head(Task::Classify),
    ],
};

/// What a transposed convolution of PyTorch has, for classes that are made of it.
pub(super) const TRANSPOSED: &str = "weight bias? .in_channels .out_channels .kernel_size .stride .padding .dilation \
    .transposed .output_padding .groups .padding_mode";

/// What is optional depends on the version, and on what was last done with the network.
pub(super) const DETECT: &str = "m anchors anchor_grid? .nc .no .nl .na .grid? .anchor_grid? .stride? .inplace? .export? .dynamic? \
    .onnx_dynamic? .end2end? .include_nms? .concat?";

const SEGMENT: &str = "m proto anchors anchor_grid? .nc .no .nl .na .grid? .anchor_grid? .stride? .inplace? .export? .dynamic? \
    .onnx_dynamic? .nm .npr .detect?";

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
    let beta = applied(module, "x.mean([2], True).mean([3], True)", &["fc1", "bn1", "fc2", "bn2"]);
    Ok(format!("beta = torch.sigmoid({beta})\n{ACON}"))
}

const ACON: &str = "d = (self.p1 - self.p2) * x
    return d * torch.sigmoid(beta * d) + self.p2 * x";

/// A convolution, its normalisation unless that is fused into it, its activation.
pub(super) fn conv(module: &ModuleView) -> Result<String, String> {
    Ok(chain(module, &["conv", "bn", "act"]))
}

/// One module after the other, those that are there.
pub(super) fn chain(module: &ModuleView, steps: &[&str]) -> String {
    format!("return {}", applied(module, "x", steps))
}

/// What those give for `input`, an expression.
pub(super) fn applied(module: &ModuleView, input: &str, steps: &[&str]) -> String {
    let steps = steps.iter().filter(|step| module.has_child(step));
    steps.fold(input.to_owned(), |input, step| format!("self.{step}.forward({input})"))
}

/// Of v5.0 with LeakyReLU it adds its input, of later versions with SiLU it does not.
fn mix_conv2d(module: &ModuleView) -> Result<String, String> {
    let shortcut = if module.child_class("act") == Some("LeakyReLU") { "x + " } else { "" };
    let convolutions = calls(module.children_of("m"), "x");
    Ok(format!("return {shortcut}self.act.forward(self.bn.forward(torch.cat([{convolutions}], 1)))"))
}

pub(super) fn focus(_: &ModuleView) -> Result<String, String> {
    Ok(format!("return self.conv.forward({})", corners()))
}

/// The four pixels of each 2×2, as channels.
pub(super) fn corners() -> String {
    let corners = ["::2, ::2", "1::2, ::2", "::2, 1::2", "1::2, 1::2"].map(|corner| format!("x[:, :, {corner}]"));
    format!("torch.cat([{}], 1)", corners.join(", "))
}

pub(super) fn bottleneck(module: &ModuleView) -> Result<String, String> {
    let shortcut = if module.bool("add")? { "x + " } else { "" };
    Ok(format!("return {shortcut}self.cv2.forward(self.cv1.forward(x))"))
}

pub(super) fn bottleneck_csp(_: &ModuleView) -> Result<String, String> {
    Ok("y1 = self.cv3.forward(self.m.forward(self.cv1.forward(x)))
        y2 = self.cv2.forward(x)
        return self.cv4.forward(self.act.forward(self.bn.forward(torch.cat([y1, y2], 1))))"
        .into())
}

pub(super) fn c3(_: &ModuleView) -> Result<String, String> {
    Ok(format!("return {C3}"))
}

/// What such a block gives for `x`.
pub(super) const C3: &str =
    "self.cv3.forward(torch.cat([self.m.forward(self.cv1.forward(x)), self.cv2.forward(x)], 1))";

pub(super) fn spp(module: &ModuleView) -> Result<String, String> {
    let pools = calls(module.children_of("m"), "x");
    Ok(format!("x = self.cv1.forward(x)\nreturn self.cv2.forward(torch.cat([x, {pools}], 1))"))
}

pub(super) fn sppf(_: &ModuleView) -> Result<String, String> {
    Ok("x = self.cv1.forward(x)
        y1 = self.m.forward(x)
        y2 = self.m.forward(y1)
        return self.cv2.forward(torch.cat([x, y1, y2, self.m.forward(y2)], 1))"
        .into())
}

pub(super) fn ghost_conv(_: &ModuleView) -> Result<String, String> {
    Ok("y = self.cv1.forward(x)
        return torch.cat([y, self.cv2.forward(y)], 1)"
        .into())
}

pub(super) fn ghost_bottleneck(_: &ModuleView) -> Result<String, String> {
    Ok("return self.conv.forward(x) + self.shortcut.forward(x)".into())
}

pub(super) fn transformer_block(module: &ModuleView) -> Result<String, String> {
    let conv = if module.has_child("conv") { "x = self.conv.forward(x)\n" } else { "" };
    Ok(format!(
        "{conv}p = x.flatten(2).permute([2, 0, 1])
         p = self.tr.forward(p + self.linear.forward(p))
         return p.permute([1, 2, 0]).reshape([x.size(0), {}, x.size(2), x.size(3)])",
        module.int("c2")?
    ))
}

pub(super) fn transformer_layer(_: &ModuleView) -> Result<String, String> {
    Ok("x = self.ma.forward(torch.cat([self.q.forward(x), self.k.forward(x), self.v.forward(x)], 2)) + x
        return self.fc2.forward(self.fc1.forward(x)) + x"
        .into())
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

pub(super) fn concat(module: &ModuleView) -> Result<String, String> {
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

pub(super) fn proto(_: &ModuleView) -> Result<String, String> {
    Ok("return self.cv3.forward(self.cv2.forward(self.upsample.forward(self.cv1.forward(x))))".into())
}

/// Logits `[N, classes]`.
fn classify(module: &ModuleView) -> Result<String, String> {
    Ok(format!("return {}", logits(module)))
}

/// The logits `[N, classes]` of a classifier's head.
pub(super) fn logits(module: &ModuleView) -> String {
    let input = match module.inputs().as_slice() {
        [input] => input.clone(),
        inputs => format!("torch.cat([{}], 1)", inputs.join(", ")),
    };
    let features = format!("self.pool.forward(self.conv.forward({input})).flatten(1)");
    match module.has_child("drop") {
        true => format!("self.linear.forward(self.drop.forward({features}))"),
        false => format!("self.linear.forward({features})"),
    }
}

/// Boxes `[N, rows, 5 + classes]` in a tuple, as exported models give them: centre, width and height in pixels of the
/// input, then objectness and classes.
pub(super) fn detect(module: &ModuleView) -> Result<String, String> {
    detect_by(module, &module.inputs(), &convolution)
}

/// The same where `raw` gives the raw output of a level, of these inputs.
pub(super) fn detect_by(module: &ModuleView, levels: &[String], raw: Raw) -> Result<String, String> {
    Ok(format!("{}return (torch.cat([{}], 1),)", decoded(module, levels, 0, raw)?, levels.join(", ")))
}

/// The expression of a level's raw output, by the number of the level and the name of its input.
type Raw<'a> = &'a dyn Fn(usize, &str) -> String;

fn convolution(level: usize, input: &str) -> String {
    format!("getattr(self.m, \"{level}\").forward({input})")
}

/// The same with mask coefficients behind the classes, and the masks' prototypes.
fn segment(module: &ModuleView) -> Result<String, String> {
    let levels = module.inputs();
    let first = levels.first().ok_or("a head without input")?;
    let decoded = decoded(module, &levels, module.int("nm")?, &convolution)?;
    Ok(format!("p = self.proto.forward({first})\n{decoded}return (torch.cat([{}], 1), p)", levels.join(", ")))
}

/// How many points a head finds for each box. Attributes do not name them: its channels are more than box, objectness and classes
/// take. Five points of a face or four corners of a licence plate are known; heads of forks with other rests mean other things
/// by them, some of them numbers and colours.
pub(super) fn points(head: &ModuleView) -> i64 {
    match (head.count("no"), head.count("nc")) {
        (Ok(channels), Ok(classes)) if head.class_name() == "Detect" => match channels - 5 - classes {
            10 => 5,
            8 => 4,
            _ => 0,
        },
        _ => 0,
    }
}

/// Statements that make the input of each level the boxes decoded from its raw output, `[N, rows, channels]`. The last `masks`
/// channels of a box stay as they are. Points stand between objectness and classes.
///
/// The grid is made from the size of the input, so that any will do; a trace holds the grid of one.
fn decoded(module: &ModuleView, levels: &[String], masks: i64, raw: Raw) -> Result<String, String> {
    let (anchors, channels) = (module.int("na")?, module.int("no")?);
    fits_convolutions(module, levels.len(), anchors, channels)?;
    // Up to v5.0 the sizes in pixels are a buffer of their own, which counts.
    let heads = levels.len() as u64;
    let in_pixels = module.shape("anchor_grid") == Some(vec![heads, 1, anchors as u64, 1, 1, 2]);
    let anchor_sizes = |head| match in_pixels {
        true => format!("self.anchor_grid[{head}]"),
        false => format!("(self.anchors[{head}] * self.stride[{head}]).view([1, {anchors}, 1, 1, 2])"),
    };
    let classes_end = channels.checked_sub(masks).filter(|&end| end > 4).ok_or("a head without objectness")?;
    let first_class = 5 + 2 * points(module);
    let decode = |(head, x): (usize, &String)| {
        let points = match first_class {
            5 => String::new(),
            end => format!(
                "a = {}
                 px = {x}[..., 5:{end}:2] * a[..., 0:1] + (u + 0.5) * self.stride[{head}]
                 py = {x}[..., 6:{end}:2] * a[..., 1:2] + (v + 0.5) * self.stride[{head}]
                 p = torch.stack([px, py], -1).flatten(-2)
                 ",
                anchor_sizes(head)
            ),
        };
        let between = if points.is_empty() { "" } else { "p, " };
        format!(
            "{x} = {}
             n, h, w = {x}.size(0), {x}.size(2), {x}.size(3)
             {x} = {x}.reshape([n, {anchors}, {channels}, h, w]).permute([0, 1, 3, 4, 2])
             s = {x}[..., 0:{classes_end}].sigmoid()
             u = torch.arange(w, dtype={x}.dtype, device={x}.device).view([1, 1, 1, w, 1]) - 0.5
             v = torch.arange(h, dtype={x}.dtype, device={x}.device).view([1, 1, h, 1, 1]) - 0.5
             cx = (s[..., 0:1] * 2.0 + u) * self.stride[{head}]
             cy = (s[..., 1:2] * 2.0 + v) * self.stride[{head}]
             wh = (s[..., 2:4] * 2.0) ** 2 * {}
             {points}{x} = torch.cat([cx, cy, wh, s[..., 4:5], {between}s[..., {first_class}:], {x}[..., {classes_end}:]], -1)
             {x} = {x}.reshape([n, -1, {channels}])
             ",
            raw(head, x),
            anchor_sizes(head)
        )
    };
    Ok(levels.iter().enumerate().map(decode).collect())
}

/// Whether a head's attributes are those of its convolutions, as its own forward needs.
fn fits_convolutions(module: &ModuleView, levels: usize, anchors: i64, channels: i64) -> Result<(), String> {
    let list = module.child("m").filter(|_| levels > 0).ok_or("a head without convolutions")?;
    for head in 0..levels {
        let found = list.child(&head.to_string()).and_then(|convolution| output_channels(&convolution));
        if found != anchors.checked_mul(channels).map(|values| values as u64) {
            let found = found.map_or("no".to_owned(), |found| found.to_string());
            return Err(format!(
                "its head says na = {anchors} and no = {channels}, but convolution {head} of it has {found} channels"
            ));
        }
    }
    Ok(())
}

/// How many channels a convolution gives, or in forks a block of several whose channels are joined.
fn output_channels(block: &ModuleView) -> Option<u64> {
    /// What gives them.
    const ENDS: [&str; 5] = ["cls_preds", "reg_preds", "obj_preds", "b3", "c3"];
    let channels = |convolution: &ModuleView| convolution.shape("weight")?.first().copied();
    let parts = ENDS.iter().filter_map(|part| block.child(part));
    channels(block).or_else(|| parts.map(|part| channels(&part)).sum::<Option<u64>>().filter(|&sum| sum > 0))
}

/// What each module of the list `m` gives for `input`, separated by commas.
pub(super) fn calls<'a>(names: impl Iterator<Item = &'a str>, input: &str) -> String {
    names.map(|name| format!("getattr(self.m, \"{name}\").forward({input})")).collect::<Vec<_>>().join(", ")
}
