//! YOLOv8, and what the package took over from YOLOv5: also YOLOv3u, YOLOv5u and YOLOv6.

use super::super::{Block, yolov5};
use crate::model::checkpoint::view::ModuleView;

pub(super) const BLOCKS: &[Block] = &[
    Block::new("Conv", "conv bn? act", yolov5::conv),
    Block::new("DWConv", "conv bn? act", yolov5::conv),
    Block::new("Conv2", "conv cv2? bn? act", conv2),
    Block::new("ConvTranspose", "conv_transpose bn? act", conv_transpose),
    Block::new("DWConvTranspose2d", yolov5::TRANSPOSED, super::super::pytorch::conv_transpose2d),
    Block::new("Focus", "conv", yolov5::focus),
    Block::new("GhostConv", "cv1 cv2", yolov5::ghost_conv),
    Block::new("GhostBottleneck", "conv shortcut", yolov5::ghost_bottleneck),
    Block::new("Bottleneck", "cv1 cv2 .add", yolov5::bottleneck),
    Block::new("BottleneckCSP", "cv1 cv2 cv3 cv4 bn act m", yolov5::bottleneck_csp),
    Block::new("C1", "cv1 m", c1),
    Block::new("C2", "cv1 cv2 m .c", c2),
    Block::new("C2f", "cv1 cv2 m .c", c2f),
    Block::new("C3", "cv1 cv2 cv3 m", yolov5::c3),
    Block::new("C3x", "cv1 cv2 cv3 m .c_?", yolov5::c3),
    Block::new("C3TR", "cv1 cv2 cv3 m", yolov5::c3),
    Block::new("C3Ghost", "cv1 cv2 cv3 m", yolov5::c3),
    Block::new("C3f", "cv1 cv2 cv3 m", c3f),
    Block::new("TransformerBlock", "conv? linear tr .conv? .c2", yolov5::transformer_block),
    Block::new("TransformerLayer", "q k v ma fc1 fc2", yolov5::transformer_layer),
    Block::new("SPP", "cv1 cv2 m", yolov5::spp),
    Block::new("SPPF", "cv1 cv2 m .n? .add?", sppf),
    Block::new("Concat", ".d", yolov5::concat),
];

/// A convolution with one of 1×1 beside it.
fn conv2(module: &ModuleView) -> Result<String, String> {
    let beside = if module.has_child("cv2") { " + self.cv2.forward(x)" } else { "" };
    Ok(format!("return {}", yolov5::applied(module, &format!("self.conv.forward(x){beside}"), &["bn", "act"])))
}

fn conv_transpose(module: &ModuleView) -> Result<String, String> {
    Ok(yolov5::chain(module, &["conv_transpose", "bn", "act"]))
}

fn c1(_: &ModuleView) -> Result<String, String> {
    Ok("y = self.cv1.forward(x)
        return self.m.forward(y) + y"
        .into())
}

fn c2(_: &ModuleView) -> Result<String, String> {
    Ok(format!("{HALVES}return self.cv2.forward(torch.cat([self.m.forward(a), b], 1))"))
}

/// Splits what `cv1` gives, and hands the second half on from one module of `m` to the next; `cv2` is given all of it.
pub(in super::super) fn c2f(module: &ModuleView) -> Result<String, String> {
    Ok(c2f_of(module, HALVES))
}

/// The same with these statements that make `y` of `x`, and split it into `a` and `b`.
pub(in super::super) fn c2f_of(module: &ModuleView, split: &str) -> String {
    let steps = Steps::of(module, "b");
    format!("{split}{}return self.cv2.forward(torch.cat([y, {}], 1))", steps.calls, steps.results)
}

fn c3f(module: &ModuleView) -> Result<String, String> {
    let steps = Steps::of(module, "b");
    Ok(format!(
        "b = self.cv1.forward(x)
         {}return self.cv3.forward(torch.cat([self.cv2.forward(x), b, {}], 1))",
        steps.calls, steps.results
    ))
}

/// The halves `a` and `b` of the channels `y` that `cv1` gives.
pub(super) const HALVES: &str = "y = self.cv1.forward(x)
    half = (y.size(1) + 1) // 2
    a, b = y[:, 0:half], y[:, half:]
    ";

/// One module of the list `m` after the other.
pub(super) struct Steps {
    /// Statements.
    pub calls: String,
    /// What each gives, separated by commas.
    pub results: String,
}

impl Steps {
    /// The first is given `input`.
    pub fn of(module: &ModuleView, input: &str) -> Self {
        let mut calls = String::new();
        let mut results: Vec<String> = Vec::new();
        for (index, name) in module.children_of("m").enumerate() {
            let last = results.last().map_or(input, String::as_str);
            calls += &format!("m{index} = getattr(self.m, \"{name}\").forward({last})\n");
            results.push(format!("m{index}"));
        }
        Self { calls, results: results.join(", ") }
    }
}

/// Pooled `n` times in a row. Early versions pool three times, and add nothing.
fn sppf(module: &ModuleView) -> Result<String, String> {
    /// More than any network pools.
    const MOST: i64 = 16;
    let times = module.count_or("n", 3)?;
    if times > MOST {
        return Err(format!("{} pools {times} times; at most {MOST} are understood", module.class()));
    }
    let pooled = (0..times).map(|time| format!("y{} = self.m.forward(y{time})\n", time + 1)).collect::<String>();
    let all = (0..=times).map(|time| format!("y{time}")).collect::<Vec<_>>().join(", ");
    let shortcut = if module.bool_or("add", false)? { " + x" } else { "" };
    Ok(format!("y0 = self.cv1.forward(x)\n{pooled}return self.cv2.forward(torch.cat([{all}], 1)){shortcut}"))
}
