//! The heads: boxes without anchors, masks, and classes of whole pictures.

use super::super::{Block, Task, yolov5};
use crate::model::checkpoint::view::ModuleView;

/// The parts of a head that makes boxes, and further ones. What is optional depends on the version, and on what was last done with
/// the network.
macro_rules! box_head {
    ($further:literal) => {
        concat!(
            "cv2? cv3? one2one_cv2? one2one_cv3? dfl? .nc .nl .reg_max .no .stride .inplace? .max_det? .anchors? .strides? .shape? \
             .dynamic? .export? .format? .end2end? .legacy? .xyxy? .agnostic_nms? ",
            $further
        )
    };
}
pub(super) use box_head;

/// Those of one that makes boxes alone.
pub(in super::super) const DETECT: &str = box_head!("");

pub(super) const BLOCKS: &[Block] = &[
    // Its convolution makes the mean of the bins, and its weights are their numbers: the heads do that themselves.
    Block::new("DFL", "conv .c1", |_| Ok(String::new())),
    Block::new("Proto", "cv1 upsample cv2 cv3", yolov5::proto),
    Block::new("Detect", box_head!(""), detect).box_head(Task::Detect),
    Block::new("v10Detect", box_head!(""), detect).box_head(Task::Detect),
    Block::new("Segment", box_head!("cv4? one2one_cv4? proto .nm .npr .detect?"), segment_of_first)
        .box_head(Task::Segment),
    Block::new("Pose", box_head!("cv4? one2one_cv4? .kpt_shape .nk .detect?"), |module| pose(module, PLAIN_KEYPOINTS))
        .box_head(Task::Pose),
    Block::new("OBB", box_head!("cv4? one2one_cv4? .ne .angle? .detect?"), |module| {
        obb(module, "({}.sigmoid() - 0.25) * 3.141592653589793")
    })
    .box_head(Task::Obb),
    Block::new("Classify", "conv pool drop? linear .export?", classify).head(Task::Classify),
];

/// What `model.export(format="torchscript")` gives: boxes `[N, 4 + classes, rows]`, centre, width and height in pixels of the
/// input, then the probability of each class.
pub(in super::super) fn detect(module: &ModuleView) -> Result<String, String> {
    let (statements, boxes) = boxes(module, None)?;
    Ok(format!("{statements}return {boxes}"))
}

fn segment_of_first(module: &ModuleView) -> Result<String, String> {
    segment(module, module.inputs().get(..1).unwrap_or_default())
}

/// The same with mask coefficients behind the classes, and the masks' prototypes, which are made of `proto_inputs`.
pub(super) fn segment(module: &ModuleView, proto_inputs: &[String]) -> Result<String, String> {
    let masks = Further { channels: module.count("nm")?, parts: &["cv4"], decode: Decode::Raw };
    let (statements, boxes) = boxes(module, Some(masks))?;
    Ok(format!("{statements}return ({boxes}, self.proto.forward({}))", proto_inputs.join(", ")))
}

/// How keypoints are made of a raw output: the convolutions that give it, one on the other, and the place in cells of raw values `{}`
/// in cells around `c`.
pub(super) type Keypoints = (&'static [&'static str], &'static str);

const PLAIN_KEYPOINTS: Keypoints = (&["cv4"], "{} * 2.0 + (c - 0.5)");

/// The same with keypoints behind the classes: x and y in pixels of the input, and the visibility where there is one.
pub(super) fn pose(module: &ModuleView, (parts, place): Keypoints) -> Result<String, String> {
    let [count, values] = module.pair("kpt_shape")?;
    // More than any object has.
    if !(1..=1024).contains(&count) || !matches!(values, 2 | 3) {
        return Err(format!("{} has keypoints of shape [{count}, {values}], which is not understood", module.class()));
    }
    let keypoints = Further { channels: count * values, parts, decode: Decode::Keypoints { count, values, place } };
    let (statements, boxes) = boxes(module, Some(keypoints))?;
    Ok(format!("{statements}return {boxes}"))
}

/// The same of rotated boxes, with the angle in radians behind the classes. `angle`: what it is of its raw value `{}`.
pub(super) fn obb(module: &ModuleView, angle: &'static str) -> Result<String, String> {
    if module.int("ne")? != 1 {
        return Err(format!("{} has {} angles for each box, expected 1", module.class(), module.int("ne")?));
    }
    let angle = Further { channels: 1, parts: &["cv4"], decode: Decode::Angle(angle) };
    let (statements, boxes) = boxes(module, Some(angle))?;
    Ok(format!("{statements}return {boxes}"))
}

/// Probabilities `[N, classes]`.
fn classify(module: &ModuleView) -> Result<String, String> {
    Ok(format!("return torch.softmax({}, 1)", yolov5::logits(module)))
}

/// The two sets of convolutions that a head may have, by what stands before their names: for many boxes of an object, and for
/// one. Both are called, so that either can be explained. The first that a head has decides what it gives.
const BRANCHES: [&str; 2] = ["", "one2one_"];

/// What a head says of each box besides its place and class.
struct Further {
    channels: i64,
    /// The convolutions that give it, one on the other.
    parts: &'static [&'static str],
    decode: Decode,
}

/// How it is decoded.
enum Decode {
    /// It stays as it is.
    Raw,
    Keypoints {
        count: i64,
        values: i64,
        place: &'static str,
    },
    /// The boxes are rotated by it.
    Angle(&'static str),
}

/// Statements that call a head's convolutions, and the expression of the boxes made from them.
fn boxes(module: &ModuleView, further: Option<Further>) -> Result<(String, String), String> {
    let (classes, bins) = (module.count("nc")?, module.count("reg_max")?);
    let further_parts = further.as_ref().map_or(&[][..], |further| further.parts);
    let parts = || ["cv2", "cv3"].iter().chain(further_parts);
    let inputs = module.inputs();
    let mut statements = String::new();
    let mut deciding = None;
    for branch in BRANCHES {
        if !parts().any(|part| module.has_child(&format!("{branch}{part}"))) {
            continue;
        }
        for (index, part) in parts().enumerate() {
            let list = format!("{branch}{part}");
            let channels = match (index, &further) {
                (0, _) => Some(4 * bins),
                (1, _) => Some(classes),
                (last, Some(further)) if last == parts().count() - 1 => Some(further.channels),
                // Of what it gives more is made.
                _ => None,
            };
            fits_convolutions(module, &list, channels)?;
            for (level, input) in inputs.iter().enumerate() {
                let input = match index.checked_sub(3) {
                    Some(before) => format!("{branch}{}_{level}", further_parts[before]),
                    None => input.clone(),
                };
                statements += &format!("{list}_{level} = getattr(self.{list}, \"{level}\").forward({input})\n");
            }
        }
        deciding = deciding.or(Some(branch));
    }
    let branch = deciding.ok_or("a head without convolutions")?;
    for level in 0..inputs.len() {
        let part = |name: &str| format!("{branch}{name}_{level}");
        let raw = further.as_ref().and_then(|further| Some((further, part(further.parts.last()?))));
        statements += &decoded(level, (&part("cv2"), bins), (&part("cv3"), classes), raw);
    }
    let levels = (0..inputs.len()).map(|level| format!("p{level}")).collect::<Vec<_>>().join(", ");
    Ok((statements, format!("torch.cat([{levels}], 2)")))
}

/// Statements that make `p<level>` of a level's raw outputs, each a variable with a number of channels (`sides`: of bins for
/// each side). The distances from a cell's centre to the sides of its box are the mean of their bins, or where there is but
/// one bin, its value.
///
/// The grid is made from the size of the input, so that any will do; a trace holds the grid of one.
fn decoded(level: usize, sides: (&str, i64), classes: (&str, i64), further: Option<(&Further, String)>) -> String {
    let ((sides, bins), (scores, classes)) = (sides, classes);
    let distances = match bins {
        1 => format!("{sides}.reshape([n, 4, h * w])"),
        bins => format!(
            "(torch.softmax({sides}.reshape([n, 4, {bins}, h * w]), 2) * \
             torch.arange({bins}, dtype={sides}.dtype, device={sides}.device).view([1, 1, {bins}, 1])).sum([2])"
        ),
    };
    let mut boxes = "a, b = c - d[:, 0:2], c + d[:, 2:4]
         boxes = torch.cat([(a + b) / 2.0, b - a], 1) * s"
        .to_owned();
    let further = further.map_or_else(String::new, |(Further { channels, decode, .. }, raw)| match decode {
        Decode::Raw => format!(", {raw}.reshape([n, {channels}, h * w])"),
        Decode::Keypoints { count, values, place } => {
            let place = place.replace("{}", "k[:, :, 0:2]").replace('c', "c.view([1, 1, 2, h * w])");
            let visibility = if *values == 3 { ", k[:, :, 2:3].sigmoid()" } else { "" };
            boxes += &format!(
                "\nk = {raw}.reshape([n, {count}, {values}, h * w])
                 k = torch.cat([({place}) * s{visibility}], 2).reshape([n, {channels}, h * w])"
            );
            ", k".to_owned()
        }
        Decode::Angle(angle) => {
            let angle = angle.replace("{}", &format!("{raw}.reshape([n, 1, h * w])"));
            boxes = format!(
                "t = {angle}
                 f = (d[:, 2:4] - d[:, 0:2]) / 2.0
                 x, y = f[:, 0:1] * t.cos() - f[:, 1:2] * t.sin(), f[:, 0:1] * t.sin() + f[:, 1:2] * t.cos()
                 boxes = torch.cat([c + torch.cat([x, y], 1), d[:, 0:2] + d[:, 2:4]], 1) * s"
            );
            ", t".to_owned()
        }
    });
    format!(
        "n, h, w = {sides}.size(0), {sides}.size(2), {sides}.size(3)
         u = torch.arange(w, dtype={sides}.dtype, device={sides}.device).view([1, 1, 1, w]) + 0.5
         v = torch.arange(h, dtype={sides}.dtype, device={sides}.device).view([1, 1, h, 1]) + 0.5
         c = torch.cat([u.expand([1, 1, h, w]), v.expand([1, 1, h, w])], 1).reshape([1, 2, h * w])
         d = {distances}
         s = picture.size(2) / h
         {boxes}
         p{level} = torch.cat([boxes, {scores}.reshape([n, {classes}, h * w]).sigmoid(){further}], 1)
         "
    )
}

/// Whether a head's list of convolutions has one for each level, which ends in so many channels.
fn fits_convolutions(module: &ModuleView, list: &str, channels: Option<i64>) -> Result<(), String> {
    let convolutions = module.child(list).ok_or_else(|| format!("a head without {list:?}"))?;
    let (levels, found) = (module.inputs().len(), convolutions.children().count());
    if levels != found {
        return Err(format!("its head takes {levels} levels, and {list} has convolutions for {found}"));
    }
    let Some(channels) = channels else { return Ok(()) };
    for level in 0..levels {
        let convolution = convolutions.child(&level.to_string());
        let last = convolution.map(|convolution| convolution.last_child().unwrap_or(convolution));
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
