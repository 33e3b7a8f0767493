//! YOLO12: Tian, Ye and Doermann, 2025, <https://arxiv.org/abs/2502.12524>.

use super::{super::Block, yolov8::Steps};
use crate::model::checkpoint::view::ModuleView;

pub(super) const BLOCKS: &[Block] = &[
    Block::new("AAttn", "qkv proj pe .area .num_heads .head_dim .all_head_dim?", area_attention),
    Block::new("ABlock", "attn mlp", a_block),
    Block::new("A2C2f", "cv1 cv2 m gamma? .gamma?", a2c2f),
];

/// Attention within each of some areas of equal size, which are rows of pixels one after the other.
fn area_attention(module: &ModuleView) -> Result<String, String> {
    let [areas, heads, size] = ["area", "num_heads", "head_dim"].map(|name| module.count(name));
    let (areas, heads, size) = (areas?, heads?, size?);
    let as_map = format!("permute([0, 3, 1, 2]).reshape([n, h, w, {}]).permute([0, 3, 1, 2])", heads * size);
    Ok(format!(
        "n, h, w = x.size(0), x.size(2), x.size(3)
         y = self.qkv.forward(x).flatten(2).transpose(1, 2)
         y = y.reshape([n * {areas}, h * w // {areas}, {heads}, {}]).permute([0, 2, 3, 1])
         q, k, v = torch.split(y, [{size}, {size}, {size}], 2)
         p = torch.softmax(torch.matmul(q.transpose(2, 3), k) * {:?}, -1)
         o = torch.matmul(v, p.transpose(2, 3)).{as_map}
         return self.proj.forward(o + self.pe.forward(v.{as_map}))",
        3 * size,
        (size as f64).powf(-0.5),
    ))
}

fn a_block(_: &ModuleView) -> Result<String, String> {
    Ok("x = x + self.attn.forward(x)
        return x + self.mlp.forward(x)"
        .into())
}

/// As C2f, but nothing is split; the largest networks add the input, and learn how much of the rest.
fn a2c2f(module: &ModuleView) -> Result<String, String> {
    let steps = Steps::of(module, "y");
    let joined = format!("self.cv2.forward(torch.cat([y, {}], 1))", steps.results);
    let output = match module.has_tensor("gamma") {
        true => format!("x + self.gamma.view([1, -1, 1, 1]) * {joined}"),
        false => joined,
    };
    Ok(format!("y = self.cv1.forward(x)\n{}return {output}", steps.calls))
}
