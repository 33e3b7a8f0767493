//! The blocks in which the repository of YOLOv12's authors differs from the Ultralytics package, in whose place it is installed.

use super::{Block, Collection};
use crate::model::checkpoint::view::ModuleView;

pub(super) const BLOCKS: Collection = Collection {
    name: "YOLOv12, the repository of its authors",
    source: "https://github.com/sunsmarterjie/yolov12",
    modules: &["ultralytics"],
    blocks: &[Block::new("AAttn", "qk v proj pe .area .num_heads .head_dim .all_head_dim?", area_attention)],
};

/// As the package's, but queries and keys have a convolution of their own, which gives all queries before all keys.
fn area_attention(module: &ModuleView) -> Result<String, String> {
    let [areas, heads, size] = ["area", "num_heads", "head_dim"].map(|name| module.count(name));
    let (areas, heads, size) = (areas?, heads?, size?);
    let channels = heads.checked_mul(size).ok_or("an attention that is too large")?;
    let by_head = |values: &str| {
        format!("{values}.reshape([n * {areas}, h * w // {areas}, {heads}, {size}]).permute([0, 2, 3, 1])")
    };
    Ok(format!(
        "n, h, w = x.size(0), x.size(2), x.size(3)
         y, v = self.qk.forward(x).flatten(2).transpose(1, 2), self.v.forward(x)
         p = self.pe.forward(v)
         v = v.flatten(2).transpose(1, 2)
         q = {}
         k = {}
         v = {}
         a = torch.softmax(torch.matmul(q.transpose(2, 3), k) * {:?}, -1)
         o = torch.matmul(v, a.transpose(2, 3)).permute([0, 3, 1, 2]).reshape([n, h, w, {channels}])
         return self.proj.forward(o.permute([0, 3, 1, 2]) + p)",
        by_head(&format!("y[:, :, 0:{channels}]")),
        by_head(&format!("y[:, :, {channels}:]")),
        by_head("v"),
        (size as f64).powf(-0.5),
    ))
}
