//! YOLOv10: Wang et al., NeurIPS 2024, <https://arxiv.org/abs/2405.14458>.

use super::{
    super::Block,
    yolov8::{HALVES, c2f},
};
use crate::model::checkpoint::view::ModuleView;

pub(super) const BLOCKS: &[Block] = &[
    Block::new("SCDown", "cv1 cv2", |_| Ok("return self.cv2.forward(self.cv1.forward(x))".into())),
    Block::new("RepVGGDW", "conv conv1? act .dim", rep_vgg),
    Block::new("CIB", "cv1 .add", cib),
    Block::new("C2fCIB", "cv1 cv2 m .c", c2f),
    Block::new("Attention", "qkv proj pe .num_heads .head_dim .key_dim .scale", attention),
    Block::new("PSA", "cv1 cv2 attn ffn .c", psa),
];

/// The sum of a depthwise 7×7 and a 3×3 convolution, which are fused into one where that is the same.
fn rep_vgg(module: &ModuleView) -> Result<String, String> {
    let beside = if module.has_child("conv1") { " + self.conv1.forward(x)" } else { "" };
    Ok(format!("return self.act.forward(self.conv.forward(x){beside})"))
}

fn cib(module: &ModuleView) -> Result<String, String> {
    let shortcut = if module.bool("add")? { "x + " } else { "" };
    Ok(format!("return {shortcut}self.cv1.forward(x)"))
}

/// Every pixel attends to every other; `qkv` has query, key and value of one attention head after the other.
fn attention(module: &ModuleView) -> Result<String, String> {
    let [heads, key, value] = ["num_heads", "key_dim", "head_dim"].map(|name| module.count(name));
    let (heads, key, value) = (heads?, key?, value?);
    Ok(format!(
        "n, h, w = x.size(0), x.size(2), x.size(3)
         y = self.qkv.forward(x).reshape([n, {heads}, {}, h * w])
         q, k, v = torch.split(y, [{key}, {key}, {value}], 2)
         p = torch.softmax(torch.matmul(q.transpose(2, 3), k) * {:?}, -1)
         o = torch.matmul(v, p.transpose(2, 3)).reshape([n, {channels}, h, w])
         return self.proj.forward(o + self.pe.forward(v.reshape([n, {channels}, h, w])))",
        2 * key + value,
        module.float("scale")?,
        channels = heads * value,
    ))
}

fn psa(_: &ModuleView) -> Result<String, String> {
    Ok(format!(
        "{HALVES}b = b + self.attn.forward(b)
         b = b + self.ffn.forward(b)
         return self.cv2.forward(torch.cat([a, b], 1))"
    ))
}
