//! YOLOv9: Wang, Yeh and Liao, ECCV 2024, <https://arxiv.org/abs/2402.13616>.

use super::{
    super::{Block, yolov5},
    yolov8::HALVES,
};
use crate::model::checkpoint::view::ModuleView;

pub(super) const BLOCKS: &[Block] = &[
    Block::new("Silence", "", |_| Ok("return x".into())),
    Block::new("RepConv", "conv? conv1? conv2? bn? act .g? .c1? .c2? .bn?", rep_conv),
    Block::new("RepBottleneck", "cv1 cv2 .add", yolov5::bottleneck),
    Block::new("RepCSP", "cv1 cv2 cv3 m", yolov5::c3),
    Block::new("RepNCSPELAN4", "cv1 cv2 cv3 cv4 .c", elan),
    Block::new("ELAN1", "cv1 cv2 cv3 cv4 .c", elan),
    Block::new("SPPELAN", "cv1 cv2 cv3 cv4 cv5 .c", spp_elan),
    Block::new("AConv", "cv1", a_conv),
    Block::new("ADown", "cv1 cv2 .c", a_down),
    Block::new("CBLinear", "conv .c2s", cb_linear),
    Block::new("CBFuse", ".idx", cb_fuse).taking(cb_fuse_parameters),
];

/// The sum of a 3×3 and a 1×1 convolution, which are fused into one where that is the same.
fn rep_conv(module: &ModuleView) -> Result<String, String> {
    activated_sum(module, &["conv", "conv1", "conv2", "bn"])
}

/// The activation of the sum of those of these parts that a RepConv has.
pub(in super::super) fn activated_sum(module: &ModuleView, parts: &[&str]) -> Result<String, String> {
    let parts = parts.iter().filter(|part| module.has_child(part));
    let terms: Vec<String> = parts.map(|part| format!("self.{part}.forward(x)")).collect();
    match terms.is_empty() {
        true => Err("RepConv has no convolution".into()),
        false => Ok(format!("return self.act.forward({})", terms.join(" + "))),
    }
}

fn elan(_: &ModuleView) -> Result<String, String> {
    Ok(format!(
        "{HALVES}c = self.cv2.forward(b)
         return self.cv4.forward(torch.cat([y, c, self.cv3.forward(c)], 1))"
    ))
}

fn spp_elan(_: &ModuleView) -> Result<String, String> {
    Ok("y0 = self.cv1.forward(x)
        y1 = self.cv2.forward(y0)
        y2 = self.cv3.forward(y1)
        return self.cv5.forward(torch.cat([y0, y1, y2, self.cv4.forward(y2)], 1))"
        .into())
}

/// The mean of each 2×2 pixels.
const AVERAGE: &str = "torch.avg_pool2d(x, [2, 2], [1, 1], [0, 0], False, True)";

fn a_conv(_: &ModuleView) -> Result<String, String> {
    Ok(format!("return self.cv1.forward({AVERAGE})"))
}

fn a_down(_: &ModuleView) -> Result<String, String> {
    Ok(format!(
        "y = {AVERAGE}
         half = (y.size(1) + 1) // 2
         b = torch.max_pool2d(y[:, half:], [3, 3], [2, 2], [1, 1], [1, 1], False)
         return torch.cat([self.cv1.forward(y[:, 0:half]), self.cv2.forward(b)], 1)"
    ))
}

/// Several maps, which `CBFuse` takes one of.
fn cb_linear(module: &ModuleView) -> Result<String, String> {
    let sizes = module.ints("c2s")?.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    Ok(format!("return torch.split(self.conv.forward(x), [{sizes}], 1)"))
}

/// The last input is a map, those before it are lists of maps.
fn cb_fuse_parameters(module: &ModuleView) -> Vec<String> {
    let mut inputs = module.inputs();
    let lists = inputs.len().saturating_sub(1);
    inputs.iter_mut().take(lists).for_each(|input| input.push_str(": List[Tensor]"));
    inputs
}

/// The last input, and one map of each list that is before it, in the last one's size.
fn cb_fuse(module: &ModuleView) -> Result<String, String> {
    let (inputs, indices) = (module.inputs(), module.ints("idx")?);
    let (last, lists) = inputs.split_last().ok_or("CBFuse has no input")?;
    if indices.len() < lists.len() || indices.iter().any(|&index| index < 0) {
        return Err(format!("CBFuse takes {} lists, and says of {} which map it takes", lists.len(), indices.len()));
    }
    let terms = lists.iter().zip(indices).map(|(list, index)| {
        format!(" + torch.upsample_nearest2d({list}[{index}], [{last}.size(2), {last}.size(3)], None)")
    });
    Ok(format!("return {last}{}", terms.collect::<String>()))
}
