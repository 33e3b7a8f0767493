//! The blocks of YOLOv5-Lite, `models/common.py` of <https://github.com/ppogg/YOLOv5-Lite>: small backbones (ShuffleNetV2, PP-LCNet,
//! RepVGG, MobileNetV3, EfficientNet-Lite, PicoDet's ESNet) in front of YOLOv5's necks and head.

use super::{Block, Collection, ultralytics, yolov5::chain};
use crate::model::checkpoint::view::ModuleView;

pub(super) const BLOCKS: Collection = Collection {
    name: "YOLOv5-Lite",
    source: "https://github.com/ppogg/YOLOv5-Lite",
    modules: &["models"],
    blocks: &[
        Block::new("stem", "conv", stem),
        Block::new("conv_bn_relu_maxpool", "conv maxpool", conv_bn_relu_maxpool),
        Block::new("Shuffle_Block", "branch1? branch2 .stride", shuffle_block),
        Block::new("DWConvblock", "conv1 bn1 conv2 bn2 .p", dw_conv_block),
        Block::new("ADD", ".a", add),
        Block::new("CBH", "conv bn? hardswish", cbh),
        Block::new("LC_Block", "dw_conv se? pw_conv .use_se", lc_block),
        Block::new("LC_SEModule", "avg_pool conv1 relu conv2 SiLU", squeeze_by_silu),
        Block::new("LC_SEModule", "avg_pool conv1 relu conv2 hardsigmoid", squeeze_by_hard_sigmoid),
        Block::new("Dense", "dense_conv hardswish dropout", dense),
        Block::new("ES_SEModule", "avg_pool conv1 relu conv2 hardsigmoid", squeeze_by_hard_sigmoid),
        Block::new("ES_Bottleneck", "branch1? branch2 branch3 branch4 .stride", es_bottleneck),
        Block::new("RepVGGBlock", REP_VGG, rep_vgg_block),
        Block::new("RepVGGBlock", "nonlinearity se rbr_reparam .deploy .groups .in_channels", rep_vgg_deployed),
        Block::new("RepVGGBlock", "nonlinearity rbr_dense .deploy .groups .in_channels", rep_vgg_fused),
        Block::new("SEBlock", "down up .input_channels", se_block),
        Block::new("mobilev3_bneck", "conv .identity", mobilev3_bneck),
        Block::new("SELayer", "avg_pool fc", se_layer),
        Block::new("Hswish", "relu", hswish),
        Block::new("MBConvBlock", MB_CONV, mb_conv_block),
        Block::new("LC3", "cv1 cv2 cv3 m", ultralytics::rep_c3),
        Block::new("C3_GC", "gc cv1 cv2 cv3 m", c3_gc),
        Block::new("ContextBlock2d", CONTEXT, context_block),
    ],
};

/// As it is trained.
const REP_VGG: &str =
    "nonlinearity se rbr_identity? rbr_dense rbr_1x1 .deploy .groups .in_channels .rbr_identity? .id_tensor?";

const MB_CONV: &str = "_depthwise_conv _bn1 _project_conv _bn2 _relu .input_filters .output_filters .stride .id_skip";

const CONTEXT: &str = "conv_mask? softmax? avg_pool? channel_add_conv? channel_mul_conv? .inplanes .planes .pool .fusions \
    .channel_add_conv? .channel_mul_conv?";

/// Two halves of the channels, one of which goes through a branch, or two branches that halve the map; then their channels by
/// turns. ShuffleNetV2: Ma, Zhang, Zheng and Sun, ECCV 2018, <https://arxiv.org/abs/1807.11164>.
pub(super) fn shuffle_block(module: &ModuleView) -> Result<String, String> {
    let halves = match module.count("stride")? {
        1 => "x1, x2 = torch.chunk(x, 2, 1)\nx = torch.cat([x1, self.branch2.forward(x2)], 1)",
        _ => "x = torch.cat([self.branch1.forward(x), self.branch2.forward(x)], 1)",
    };
    Ok(format!("{halves}\n{BY_TURNS}"))
}

/// Returns the channels of both halves of `x` by turns. Sizes are taken from `x`, where a trace of the original has those that it
/// was made at.
const BY_TURNS: &str = "n, c, h, w = x.size(0), x.size(1), x.size(2), x.size(3)
    return x.reshape([n, 2, c // 2, h, w]).transpose(1, 2).reshape([n, c, h, w])";

fn conv_bn_relu_maxpool(_: &ModuleView) -> Result<String, String> {
    Ok("return self.maxpool.forward(self.conv.forward(x))".into())
}

fn dw_conv_block(_: &ModuleView) -> Result<String, String> {
    Ok("x = torch.relu(self.bn1.forward(self.conv1.forward(x)))
        return torch.relu(self.bn2.forward(self.conv2.forward(x)))"
        .into())
}

/// The first input, and some of the second.
fn add(module: &ModuleView) -> Result<String, String> {
    let share = module.float("a")?;
    match module.inputs().as_slice() {
        [first, second] => Ok(format!("return {first} + {second} * {share:?}")),
        inputs => Err(format!("ADD takes 2 inputs, and is given {}", inputs.len())),
    }
}

/// A convolution, its normalisation unless that is fused into it, its activation.
fn cbh(module: &ModuleView) -> Result<String, String> {
    Ok(chain(module, &["conv", "bn", "hardswish"]))
}

fn lc_block(module: &ModuleView) -> Result<String, String> {
    let steps: &[&str] = if module.bool("use_se")? { &["dw_conv", "se", "pw_conv"] } else { &["dw_conv", "pw_conv"] };
    Ok(chain(module, steps))
}

/// Weighs the channels by what their means say.
fn squeeze(weight: &str) -> Result<String, String> {
    Ok(format!(
        "y = self.conv2.forward(self.relu.forward(self.conv1.forward(self.avg_pool.forward(x))))
         return x * self.{weight}.forward(y)"
    ))
}

fn squeeze_by_silu(_: &ModuleView) -> Result<String, String> {
    squeeze("SiLU")
}

fn squeeze_by_hard_sigmoid(_: &ModuleView) -> Result<String, String> {
    squeeze("hardsigmoid")
}

fn dense(module: &ModuleView) -> Result<String, String> {
    Ok(chain(module, &["dense_conv", "hardswish", "dropout"]))
}

fn es_bottleneck(module: &ModuleView) -> Result<String, String> {
    match module.count("stride")? {
        1 => Ok(format!(
            "x1, x2 = torch.chunk(x, 2, 1)
             x = torch.cat([x1, self.branch3.forward(x2)], 1)
             {BY_TURNS}"
        )),
        2 => Ok("return self.branch4.forward(torch.cat([self.branch1.forward(x), self.branch2.forward(x)], 1))".into()),
        other => Err(format!("ES_Bottleneck has a stride of 1 or 2, not of {other}")),
    }
}

/// The sum of a 3×3 convolution, a 1×1 convolution, and the input where it has the same shape. RepVGG: Ding and others, CVPR
/// 2021, <https://arxiv.org/abs/2101.03697>.
fn rep_vgg_block(module: &ModuleView) -> Result<String, String> {
    let same = if module.has_child("rbr_identity") { " + self.rbr_identity.forward(x)" } else { "" };
    Ok(format!(
        "y = self.rbr_dense.forward(x) + self.rbr_1x1.forward(x){same}
         return self.nonlinearity.forward(self.se.forward(y))"
    ))
}

/// One convolution that gives the same.
fn rep_vgg_deployed(module: &ModuleView) -> Result<String, String> {
    Ok(chain(module, &["rbr_reparam", "se", "nonlinearity"]))
}

/// The same by another name, as the fork fuses before it exports.
fn rep_vgg_fused(module: &ModuleView) -> Result<String, String> {
    Ok(chain(module, &["rbr_dense", "nonlinearity"]))
}

/// The original takes the means of squares as wide as the map, and fails unless there is one: of maps that are wider than high
/// it has none, and here they have the mean of the whole.
fn se_block(_: &ModuleView) -> Result<String, String> {
    Ok("y = x[:, :, 0:x.size(3)].mean([2, 3], True)
        return x * torch.sigmoid(self.up.forward(torch.relu(self.down.forward(y))))"
        .into())
}

fn hswish(_: &ModuleView) -> Result<String, String> {
    Ok("return self.relu.forward(x + 3.0) / 6.0".into())
}

fn se_layer(_: &ModuleView) -> Result<String, String> {
    Ok("y = self.fc.forward(self.avg_pool.forward(x).flatten(1))
        return x * y.view([x.size(0), x.size(1), 1, 1])"
        .into())
}

fn mobilev3_bneck(module: &ModuleView) -> Result<String, String> {
    let shortcut = if module.bool("identity")? { "x + " } else { "" };
    Ok(format!("return {shortcut}self.conv.forward(x)"))
}

fn stem(_: &ModuleView) -> Result<String, String> {
    Ok("return self.conv.forward(x)".into())
}

fn mb_conv_block(module: &ModuleView) -> Result<String, String> {
    let is_alike = module.count("stride")? == 1 && module.count("input_filters")? == module.count("output_filters")?;
    let shortcut = if module.bool("id_skip")? && is_alike { "x + " } else { "" };
    Ok(format!(
        "y = self._relu.forward(self._bn1.forward(self._depthwise_conv.forward(x)))
         return {shortcut}self._bn2.forward(self._project_conv.forward(y))"
    ))
}

fn c3_gc(_: &ModuleView) -> Result<String, String> {
    Ok("y = self.cv2.forward(self.gc.forward(x))
        return self.cv3.forward(torch.cat([self.m.forward(self.cv1.forward(x)), y], 1))"
        .into())
}

/// Global context: Cao, Xu, Lin, Wei and Hu, 2019, <https://arxiv.org/abs/1904.11492>.
fn context_block(module: &ModuleView) -> Result<String, String> {
    let context = match module.text("pool") {
        Some("att") => {
            "a = torch.softmax(self.conv_mask.forward(x).flatten(2), 2)
             c = torch.matmul(x.flatten(2), a.transpose(1, 2)).unsqueeze(-1)"
        }
        Some("avg") => "c = self.avg_pool.forward(x)",
        other => return Err(format!("a ContextBlock2d that pools by {other:?} is not known")),
    };
    let weighed = match module.has_child("channel_mul_conv") {
        true => "x * torch.sigmoid(self.channel_mul_conv.forward(c))",
        false => "x",
    };
    let added = if module.has_child("channel_add_conv") { " + self.channel_add_conv.forward(c)" } else { "" };
    Ok(format!("{context}\nreturn {weighed}{added}"))
}
