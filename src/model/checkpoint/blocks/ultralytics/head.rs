//! The heads: boxes without anchors, masks, and classes of whole pictures.

use super::super::{Block, Task, yolov5};
use crate::model::checkpoint::view::ModuleView;

pub(super) const BLOCKS: &[Block] = &[
    // Its convolution makes the mean of the bins, and its weights are their numbers: the heads do that themselves.
    Block::new("DFL", "conv", |_| Ok(String::new())),
    Block::new("Proto", "cv1 upsample cv2 cv3", yolov5::proto),
    Block::new("Detect", "cv2? cv3? one2one_cv2? one2one_cv3? dfl?", detect).box_head(Task::Detect),
    Block::new("v10Detect", "cv2? cv3? one2one_cv2? one2one_cv3? dfl?", detect).box_head(Task::Detect),
    Block::new("Segment", "cv2? cv3? cv4? one2one_cv2? one2one_cv3? one2one_cv4? dfl? proto", segment_of_first)
        .box_head(Task::Segment),
    Block::new("Classify", "conv pool drop? linear", classify).head(Task::Classify),
];

/// What `model.export(format="torchscript")` gives: boxes `[N, 4 + classes, rows]`, centre, width and height in pixels of the
/// input, then the probability of each class.
fn detect(module: &ModuleView) -> Result<String, String> {
    let (statements, boxes) = boxes(module, None)?;
    Ok(format!("{statements}return {boxes}"))
}

fn segment_of_first(module: &ModuleView) -> Result<String, String> {
    segment(module, module.inputs().get(..1).unwrap_or_default())
}

/// The same with mask coefficients behind the classes, and the masks' prototypes, which are made of `proto_inputs`.
pub(super) fn segment(module: &ModuleView, proto_inputs: &[String]) -> Result<String, String> {
    let (statements, boxes) = boxes(module, Some(module.count("nm")?))?;
    Ok(format!("{statements}return ({boxes}, self.proto.forward({}))", proto_inputs.join(", ")))
}

/// Probabilities `[N, classes]`.
fn classify(module: &ModuleView) -> Result<String, String> {
    Ok(format!("return torch.softmax({}, 1)", yolov5::logits(module)))
}

/// The two sets of convolutions that a head may have, by what stands before their names: for many boxes of an object, and for
/// one. Both are called, so that either can be explained. The first that a head has decides what it gives.
const BRANCHES: [&str; 2] = ["", "one2one_"];

/// Statements that call a head's convolutions, and the expression of the boxes made from them.
fn boxes(module: &ModuleView, masks: Option<i64>) -> Result<(String, String), String> {
    let (classes, bins) = (module.count("nc")?, module.count("reg_max")?);
    let mut parts = vec![("cv2", 4 * bins), ("cv3", classes)];
    parts.extend(masks.map(|masks| ("cv4", masks)));
    let inputs = module.inputs();
    let mut statements = String::new();
    let mut deciding = None;
    for branch in BRANCHES {
        let found = parts.iter().filter(|(part, _)| module.has_child(&format!("{branch}{part}"))).count();
        if found == 0 {
            continue;
        }
        for &(part, channels) in &parts {
            let list = format!("{branch}{part}");
            fits_convolutions(module, &list, channels)?;
            for (level, input) in inputs.iter().enumerate() {
                statements += &format!("{list}_{level} = getattr(self.{list}, \"{level}\").forward({input})\n");
            }
        }
        deciding = deciding.or(Some(branch));
    }
    let branch = deciding.ok_or("a head without convolutions")?;
    for level in 0..inputs.len() {
        let part = |name: &str| format!("{branch}{name}_{level}");
        let coefficients = masks.map(|masks| (part("cv4"), masks));
        statements += &decoded(level, (&part("cv2"), bins), (&part("cv3"), classes), coefficients);
    }
    let levels = (0..inputs.len()).map(|level| format!("p{level}")).collect::<Vec<_>>().join(", ");
    Ok((statements, format!("torch.cat([{levels}], 2)")))
}

/// Statements that make `p<level>` of a level's raw outputs, each a variable with a number of channels (`sides`: of bins for
/// each side). The distances from a cell's centre to the sides of its box are the mean of their bins, or where there is but
/// one bin, its value.
///
/// The grid is made from the size of the input, so that any will do; a trace holds the grid of one.
fn decoded(level: usize, sides: (&str, i64), classes: (&str, i64), masks: Option<(String, i64)>) -> String {
    let ((sides, bins), (scores, classes)) = (sides, classes);
    let distances = match bins {
        1 => format!("{sides}.reshape([n, 4, h * w])"),
        bins => format!(
            "(torch.softmax({sides}.reshape([n, 4, {bins}, h * w]), 2) * \
             torch.arange({bins}, dtype={sides}.dtype, device={sides}.device).view([1, 1, {bins}, 1])).sum([2])"
        ),
    };
    let coefficients =
        masks.map_or_else(String::new, |(values, masks)| format!(", {values}.reshape([n, {masks}, h * w])"));
    format!(
        "n, h, w = {sides}.size(0), {sides}.size(2), {sides}.size(3)
         u = torch.arange(w, dtype={sides}.dtype, device={sides}.device).view([1, 1, 1, w]) + 0.5
         v = torch.arange(h, dtype={sides}.dtype, device={sides}.device).view([1, 1, h, 1]) + 0.5
         c = torch.cat([u.expand([1, 1, h, w]), v.expand([1, 1, h, w])], 1).reshape([1, 2, h * w])
         d = {distances}
         a, b = c - d[:, 0:2], c + d[:, 2:4]
         boxes = torch.cat([(a + b) / 2.0, b - a], 1) * (picture.size(2) / h)
         p{level} = torch.cat([boxes, {scores}.reshape([n, {classes}, h * w]).sigmoid(){coefficients}], 1)
         "
    )
}

/// Whether a head's list of convolutions has one for each level, which ends in so many channels.
fn fits_convolutions(module: &ModuleView, list: &str, channels: i64) -> Result<(), String> {
    let convolutions = module.child(list).ok_or_else(|| format!("a head without {list:?}"))?;
    let (levels, found) = (module.inputs().len(), convolutions.children().count());
    if levels != found {
        return Err(format!("its head takes {levels} levels, and {list} has convolutions for {found}"));
    }
    for level in 0..levels {
        let last = convolutions.child(&level.to_string()).and_then(|convolutions| convolutions.last_child());
        let found = last.and_then(|last| last.shape("weight")).and_then(|shape| shape.first().copied());
        if found != u64::try_from(channels).ok() {
            let found = found.map_or("no".to_owned(), |found| found.to_string());
            return Err(format!(
                "its head says that {list} gives {channels} channels, but convolution {level} of it has {found}"
            ));
        }
    }
    Ok(())
}
