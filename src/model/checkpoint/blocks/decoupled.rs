//! The heads of forks of YOLOv5 that predict boxes and classes on paths of their own, as YOLOX does (Ge et al., 2021,
//! <https://arxiv.org/abs/2107.08430>), but for anchors.

use super::{Block, Collection, Task, yolov5};
use crate::model::checkpoint::view::ModuleView;

pub(super) const BLOCKS: Collection = Collection {
    name: "Decoupled heads of forks of YOLOv5, as YOLOX has them",
    source: "https://arxiv.org/abs/2107.08430",
    modules: &["models"],
    blocks: &[
        Block::new(
            "DecoupledHead",
            "merge cls_convs1 cls_convs2? reg_convs1 reg_convs2? cls_preds reg_preds obj_preds .nc .nl .na",
            decoupled_head,
        ),
        Block::new("Decouple", "a b1 b2 b3 c1 c2 c3 .na .nc", decouple),
        Block::new("Decoupled_Detect", yolov5::DETECT, yolov5::detect).head(Task::Detect),
        Block::new("DecoupledDetect", yolov5::DETECT, yolov5::detect).head(Task::Detect),
    ],
};

/// Boxes, objectness and classes of all anchors, one after the other. The head then takes equal parts of them for its anchors, so
/// that a channel means what its place in its part says, whichever convolution gives it.
fn decoupled_head(module: &ModuleView) -> Result<String, String> {
    Ok(format!(
        "x = self.merge.forward(x)
         r = {}
         c = self.cls_preds.forward({})
         return torch.cat([self.reg_preds.forward(r), self.obj_preds.forward(r), c], 1)",
        yolov5::applied(module, "x", &["reg_convs1", "reg_convs2"]),
        yolov5::applied(module, "x", &["cls_convs1", "cls_convs2"]),
    ))
}

/// Of each anchor the box, objectness and the classes.
fn decouple(module: &ModuleView) -> Result<String, String> {
    let (anchors, classes) = (module.count("na")?, module.count("nc")?);
    Ok(format!(
        "x = self.a.forward(x)
         b = self.b3.forward(self.b2.forward(self.b1.forward(x)))
         c = self.c3.forward(self.c2.forward(self.c1.forward(x)))
         n, h, w = x.size(0), x.size(2), x.size(3)
         y = torch.cat([b.reshape([n, {anchors}, 5, h, w]), c.reshape([n, {anchors}, {classes}, h, w])], 2)
         return y.reshape([n, -1, h, w])"
    ))
}
