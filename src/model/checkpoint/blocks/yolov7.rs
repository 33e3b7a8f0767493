//! The blocks of YOLOv7, `models/common.py` and `models/yolo.py`: Wang, Bochkovskiy and Liao, CVPR 2023,
//! <https://arxiv.org/abs/2207.02696>. Many are those of YOLOv5.

use super::{Block, Collection, Task, ultralytics, yolov5};
use crate::model::checkpoint::view::ModuleView;

pub(super) const BLOCKS: Collection = Collection {
    name: "YOLOv7",
    source: "https://github.com/WongKinYiu/yolov7",
    modules: &["models"],
    blocks: &[
        Block::new("MP", "m", pool),
        Block::new("SP", "m", pool),
        Block::new("ReOrg", "", |_| Ok(format!("return {}", yolov5::corners()))),
        Block::new("Chuncat", ".d", chunk_and_concat),
        Block::new("Shortcut", ".d", shortcut),
        Block::new("Foldcut", ".d", foldcut),
        Block::new("RobustConv", "conv_dw conv1x1 gamma? .gamma?", |module| {
            robust_conv(module, ["conv_dw", "conv1x1"])
        }),
        Block::new("RobustConv2", "conv_strided conv_deconv gamma? .gamma?", |module| {
            robust_conv(module, ["conv_strided", "conv_deconv"])
        }),
        Block::new("Stem", "cv1 cv2 cv3 pool cv4", stem),
        Block::new("GhostStem", "cv1 cv2 cv3 pool cv4", stem),
        Block::new("DownC", "cv1 cv2 cv3 mp", down_c),
        Block::new("Res", "cv1 cv2 cv3 .add", residual),
        Block::new("ResX", "cv1 cv2 cv3 .add", residual),
        Block::new("RepRes", "cv1 cv2 cv3 .add", residual),
        Block::new("RepResX", "cv1 cv2 cv3 .add", residual),
        Block::new("Ghost", "conv shortcut", yolov5::ghost_bottleneck),
        Block::new("RepBottleneck", "cv1 cv2 .add", yolov5::bottleneck),
        Block::new("SPPCSPC", "cv1 cv2 cv3 cv4 cv5 cv6 cv7 m", spp_csp),
        Block::new("GhostSPPCSPC", "cv1 cv2 cv3 cv4 cv5 cv6 cv7 m", spp_csp),
        Block::new("BottleneckCSPA", "cv1 cv2 cv3 m", yolov5::c3),
        Block::new("ResCSPA", "cv1 cv2 cv3 m", yolov5::c3),
        Block::new("ResXCSPA", "cv1 cv2 cv3 m", yolov5::c3),
        Block::new("GhostCSPA", "cv1 cv2 cv3 m", yolov5::c3),
        Block::new("RepBottleneckCSPA", "cv1 cv2 cv3 m", yolov5::c3),
        Block::new("RepResCSPA", "cv1 cv2 cv3 m", yolov5::c3),
        Block::new("RepResXCSPA", "cv1 cv2 cv3 m", yolov5::c3),
        Block::new("BottleneckCSPB", "cv1 cv2 cv3 m", csp_b),
        Block::new("ResCSPB", "cv1 cv2 cv3 m", csp_b),
        Block::new("ResXCSPB", "cv1 cv2 cv3 m", csp_b),
        Block::new("GhostCSPB", "cv1 cv2 cv3 m", csp_b),
        Block::new("RepBottleneckCSPB", "cv1 cv2 cv3 m", csp_b),
        Block::new("RepResCSPB", "cv1 cv2 cv3 m", csp_b),
        Block::new("RepResXCSPB", "cv1 cv2 cv3 m", csp_b),
        Block::new("BottleneckCSPC", "cv1 cv2 cv3 cv4 m", csp_c),
        Block::new("ResCSPC", "cv1 cv2 cv3 cv4 m", csp_c),
        Block::new("ResXCSPC", "cv1 cv2 cv3 cv4 m", csp_c),
        Block::new("GhostCSPC", "cv1 cv2 cv3 cv4 m", csp_c),
        Block::new("RepBottleneckCSPC", "cv1 cv2 cv3 cv4 m", csp_c),
        Block::new("RepResCSPC", "cv1 cv2 cv3 cv4 m", csp_c),
        Block::new("RepResXCSPC", "cv1 cv2 cv3 cv4 m", csp_c),
        Block::new(
            "RepConv",
            "rbr_dense? rbr_1x1? rbr_identity? rbr_reparam? act .deploy .groups .in_channels .out_channels .rbr_identity? .id_tensor?",
            rep_conv,
        ),
        Block::new("ImplicitA", "implicit .channel .mean? .std?", |_| Ok("return self.implicit + x".into())),
        Block::new("ImplicitM", "implicit .channel .mean? .std?", |_| Ok("return self.implicit * x".into())),
        Block::new("IDetect", IDETECT, detect).head(Task::Detect),
        Block::new("IAuxDetect", IAUX_DETECT, detect).head(Task::Detect),
    ],
};

/// What is optional depends on what was last done with the network.
const IDETECT: &str =
    "m ia im anchors anchor_grid .nc .no .nl .na .grid? .stride .export? .end2end? .include_nms? .concat?";

const IAUX_DETECT: &str =
    "m m2 ia im anchors anchor_grid .nc .no .nl .na .grid? .stride .export? .end2end? .include_nms? .concat?";

/// What a network is for whose head is `name`, where such networks are not supported.
pub(super) fn other_task(name: &str) -> Option<&'static str> {
    (name == "IKeypoint").then_some("finds the keypoints of poses")
}

fn pool(_: &ModuleView) -> Result<String, String> {
    Ok("return self.m.forward(x)".into())
}

/// The first halves of all inputs, then their second halves.
fn chunk_and_concat(module: &ModuleView) -> Result<String, String> {
    over_channels(module)?;
    let half = |input: &String| format!("({input}.size(1) + 1) // 2");
    let inputs = module.inputs();
    let first = inputs.iter().map(|input| format!("{input}[:, 0:{}]", half(input)));
    let second = inputs.iter().map(|input| format!("{input}[:, {}:]", half(input)));
    Ok(format!("return torch.cat([{}], 1)", first.chain(second).collect::<Vec<_>>().join(", ")))
}

fn shortcut(module: &ModuleView) -> Result<String, String> {
    match module.inputs().as_slice() {
        [first, second, ..] => Ok(format!("return {first} + {second}")),
        inputs => Err(format!("a shortcut of {} inputs, expected 2", inputs.len())),
    }
}

fn foldcut(module: &ModuleView) -> Result<String, String> {
    over_channels(module)?;
    Ok("half = (x.size(1) + 1) // 2
        return x[:, 0:half] + x[:, half:]"
        .into())
}

/// Whether what a block splits is channels. Its default are pictures, which makes no sense.
fn over_channels(module: &ModuleView) -> Result<(), String> {
    match module.int("d")? {
        1 => Ok(()),
        other => Err(format!("{} splits dimension {other}; only 1, the channels, is supported", module.class())),
    }
}

fn robust_conv(module: &ModuleView, [first, second]: [&str; 2]) -> Result<String, String> {
    let gain = if module.has_tensor("gamma") { " * self.gamma.reshape([1, -1, 1, 1])" } else { "" };
    Ok(format!("return self.{second}.forward(self.{first}.forward(x)){gain}"))
}

fn stem(_: &ModuleView) -> Result<String, String> {
    Ok("x = self.cv1.forward(x)
        return self.cv4.forward(torch.cat([self.cv3.forward(self.cv2.forward(x)), self.pool.forward(x)], 1))"
        .into())
}

fn down_c(_: &ModuleView) -> Result<String, String> {
    Ok("return torch.cat([self.cv2.forward(self.cv1.forward(x)), self.cv3.forward(self.mp.forward(x))], 1)".into())
}

fn residual(module: &ModuleView) -> Result<String, String> {
    let shortcut = if module.bool("add")? { "x + " } else { "" };
    Ok(format!("return {shortcut}self.cv3.forward(self.cv2.forward(self.cv1.forward(x)))"))
}

/// Pooled with windows of several sizes, on one of two paths.
fn spp_csp(module: &ModuleView) -> Result<String, String> {
    Ok(pooled("", &yolov5::calls(module.children_of("m"), "y")))
}

/// The same where `statements` make the maps `pools` of `y`.
pub(super) fn pooled(statements: &str, pools: &str) -> String {
    format!(
        "y = self.cv4.forward(self.cv3.forward(self.cv1.forward(x)))
         {statements}y = self.cv6.forward(self.cv5.forward(torch.cat([y, {pools}], 1)))
         return self.cv7.forward(torch.cat([y, self.cv2.forward(x)], 1))"
    )
}

fn csp_b(_: &ModuleView) -> Result<String, String> {
    Ok("x = self.cv1.forward(x)
        return self.cv3.forward(torch.cat([self.m.forward(x), self.cv2.forward(x)], 1))"
        .into())
}

fn csp_c(_: &ModuleView) -> Result<String, String> {
    Ok("y = self.cv3.forward(self.m.forward(self.cv1.forward(x)))
        return self.cv4.forward(torch.cat([y, self.cv2.forward(x)], 1))"
        .into())
}

/// The sum of a 3×3 and a 1×1 convolution, and of the input if the sizes are equal; or the one convolution that it was fused to.
fn rep_conv(module: &ModuleView) -> Result<String, String> {
    let parts: &[&str] =
        if module.has_child("rbr_reparam") { &["rbr_reparam"] } else { &["rbr_dense", "rbr_1x1", "rbr_identity"] };
    ultralytics::activated_sum(module, parts)
}

/// As YOLOv5's, but something is added before each convolution and multiplied after it, unless that was fused. A second list of
/// convolutions for the further inputs is used in training alone.
fn detect(module: &ModuleView) -> Result<String, String> {
    let mut levels = module.inputs();
    levels.truncate(module.children_of("m").count());
    // What is fused runs the method `fuseforward` in place of its own, and keeps the parts that it no longer calls.
    let is_fused = module.has_attribute("forward");
    yolov5::detect_by(module, &levels, &|level, input| match is_fused {
        true => format!("getattr(self.m, \"{level}\").forward({input})"),
        false => format!(
            "getattr(self.im, \"{level}\").forward(getattr(self.m, \"{level}\").forward(getattr(self.ia, \"{level}\").forward({input})))"
        ),
    })
}
