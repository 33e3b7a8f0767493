//! Blocks that forks of YOLOv5 and of the package `ultralytics` add or change, each as most of them write it. A class of the same
//! name that is made of other parts is another row, or not known.

use super::{Block, Collection, ultralytics, yolov5, yolov7};
use crate::model::checkpoint::view::ModuleView;

/// What is added, by what describes it. Each class is as most forks write it.
pub(super) const COLLECTIONS: &[&Collection] = &[
    &of(
        "Squeeze and excitation",
        "https://arxiv.org/abs/1709.01507",
        &[
            // Squeeze and excitation: Hu, Shen and Sun, CVPR 2018, <https://arxiv.org/abs/1709.01507>.
            Block::new("SE", "avgpool l1 relu l2 sig", |_| Ok(attention(excited))),
            Block::new("SE", "avg_pool fc", |module| squeezed(module, "avg_pool", "fc")),
            Block::new("SELayer", "avg_pool fc", |module| squeezed(module, "avg_pool", "fc")),
            Block::new("SEAttention", "avg_pool fc", |module| squeezed(module, "avg_pool", "fc")),
            Block::new("SEBlock", "avg_pool fc", |module| squeezed(module, "avg_pool", "fc")),
            Block::new("SEBlock", "squeeze excitation", |module| squeezed(module, "squeeze", "excitation")),
            Block::new("SEBottleneck", "cv1 cv2 avgpool l1 relu l2 sig .add", |module| {
                bottleneck(module, &excited("y"))
            }),
            Block::new("SEBottleneck", "cv1 cv2 se .add", |module| bottleneck(module, "y = self.se.forward(y)\n")),
            Block::new("C3SE", "cv1 cv2 cv3 m", yolov5::c3),
            Block::new("C3SE", "cv1 cv2 cv3 m se", |_| Ok(format!("return self.se.forward({})", yolov5::C3))),
        ],
    ),
    &of(
        "CBAM",
        "https://arxiv.org/abs/1807.06521",
        &[
            // Convolutional block attention module: Woo et al., ECCV 2018, <https://arxiv.org/abs/1807.06521>.
            Block::new("ChannelAttention", "avg_pool max_pool fc1 relu1 fc2 sigmoid", |module| {
                of_channels(module, &["fc1", "relu1", "fc2"])
            }),
            Block::new("ChannelAttention", "avg_pool max_pool fc1 relu fc2 sigmoid", |module| {
                of_channels(module, &["fc1", "relu", "fc2"])
            }),
            Block::new("ChannelAttention", "avg_pool max_pool f1 relu f2 sigmoid", |module| {
                of_channels(module, &["f1", "relu", "f2"])
            }),
            Block::new("ChannelAttentionModule", "avg_pool max_pool shared_MLP sigmoid", |module| {
                of_channels_by(module, "sigmoid")
            }),
            Block::new("ChannelAttentionModule", "avg_pool max_pool shared_MLP act", |module| {
                of_channels_by(module, "act")
            }),
            Block::new("ChannelAttention", "pool fc act", |_| {
                Ok("return x * self.act.forward(self.fc.forward(self.pool.forward(x)))".into())
            }),
            Block::new("SpatialAttention", "conv1 sigmoid", |_| {
                Ok(format!("return {}", of_places("conv1", "sigmoid")))
            }),
            Block::new("SpatialAttention", "conv sigmoid", |_| Ok(format!("return {}", of_places("conv", "sigmoid")))),
            Block::new("SpatialAttentionModule", "conv2d sigmoid", |_| {
                Ok(format!("return {}", of_places("conv2d", "sigmoid")))
            }),
            Block::new("SpatialAttentionModule", "conv2d act", |_| {
                Ok(format!("return {}", of_places("conv2d", "act")))
            }),
            Block::new("SpatialAttention", "cv1 act", |_| Ok(format!("return x * {}", of_places("cv1", "act")))),
            Block::new("CBAM", "channel_attention spatial_attention", |module| {
                Ok(format!("{}return x", both_attentions(module, "x")?))
            }),
            Block::new("CBAMBottleneck", "cv1 cv2 channel_attention spatial_attention .add", |module| {
                bottleneck(module, &both_attentions(module, "y")?)
            }),
            Block::new("CBAMBottleneck", "cv1 cv2 cbam .add", |module| {
                bottleneck(module, "y = self.cbam.forward(y)\n")
            }),
            Block::new("C3CBAM", "cv1 cv2 cv3 m", yolov5::c3),
            Block::new(
                "ResBlock_CBAM",
                "bottleneck cbam downsample? relu .downsampling .expansion?",
                residual_attention,
            ),
        ],
    ),
    &of(
        "Efficient channel attention",
        "https://arxiv.org/abs/1910.03151",
        &[
            // Efficient channel attention: Wang et al., CVPR 2020, <https://arxiv.org/abs/1910.03151>.
            Block::new("ECA", "avg_pool conv sigmoid", |_| Ok(attention(of_neighbours))),
            Block::new("eca_layer", "avg_pool conv sigmoid", |_| Ok(attention(of_neighbours))),
            Block::new("ECAAttention", "gap conv sigmoid", |_| Ok(attention(of_neighbours))),
            Block::new("ECABottleneck", "cv1 cv2 avg_pool conv sigmoid .add", |module| {
                bottleneck(module, &of_neighbours("y"))
            }),
            Block::new("C3ECA", "cv1 cv2 cv3 m", yolov5::c3),
        ],
    ),
    &of(
        "Coordinate attention",
        "https://arxiv.org/abs/2103.02907",
        &[
            // Coordinate attention: Hou, Zhou and Feng, CVPR 2021, <https://arxiv.org/abs/2103.02907>.
            Block::new("h_sigmoid", "relu", |_| Ok("return self.relu.forward(x + 3.0) / 6.0".into())),
            Block::new("h_swish", "sigmoid", |_| Ok("return x * self.sigmoid.forward(x)".into())),
            Block::new("CoordAtt", "pool_h pool_w conv1 bn1 act conv_h conv_w", |_| Ok(attention(of_coordinates))),
            Block::new("CA", "pool_h pool_w conv1 bn1 act conv_h conv_w", |_| Ok(attention(of_coordinates))),
            Block::new("CABottleneck", "cv1 cv2 pool_h? pool_w? conv1 bn1 act conv_h conv_w .add", |module| {
                bottleneck(module, &of_coordinates("y"))
            }),
            Block::new("CABottleneck", "cv1 cv2 ca .add", |module| bottleneck(module, "y = self.ca.forward(y)\n")),
            Block::new("C3CA", "cv1 cv2 cv3 m", yolov5::c3),
        ],
    ),
    &of(
        "SimAM",
        "https://proceedings.mlr.press/v139/yang21o.html",
        &[
            // Yang et al., ICML 2021, <https://proceedings.mlr.press/v139/yang21o.html>. The name of its part is misspelt everywhere.
            Block::new("SimAM", "activaton .e_lambda", simam),
        ],
    ),
    &of(
        "Efficient multi-scale attention",
        "https://arxiv.org/abs/2305.13563",
        &[
            // Efficient multi-scale attention: Ouyang et al., ICASSP 2023, <https://arxiv.org/abs/2305.13563>.
            Block::new("EMA", "softmax agp pool_h pool_w gn conv1x1 conv3x3 .groups", multi_scale),
        ],
    ),
    &of(
        "Shuffle attention",
        "https://arxiv.org/abs/2102.00240",
        &[
            // Yang and Yang, ICASSP 2021, <https://arxiv.org/abs/2102.00240>.
            Block::new("ShuffleAttention", "avg_pool gn sigmoid cweight cbias sweight sbias .G .channel?", shuffled),
        ],
    ),
    &of(
        "CARAFE",
        "https://arxiv.org/abs/1905.02188",
        &[
            // Content-aware upsampling: Wang et al., ICCV 2019, <https://arxiv.org/abs/1905.02188>.
            Block::new("CARAFE", "comp enc pix_shf upsmp unfold .scale", reassembled),
        ],
    ),
    &of(
        "BiFPN",
        "https://arxiv.org/abs/1911.09070",
        &[
            // Weighted maps: Tan, Pang and Le, CVPR 2020, <https://arxiv.org/abs/1911.09070>.
            Block::new("BiFPN_Add2", "conv silu w .epsilon", weighted_sum),
            Block::new("BiFPN_Add3", "conv silu w .epsilon", weighted_sum),
            Block::new("BiFPN_Concat2", "w .d .epsilon", weighted_concat),
            Block::new("BiFPN_Concat3", "w .d .epsilon", weighted_concat),
        ],
    ),
    &of(
        "YOLOAir",
        "https://github.com/iscyy/yoloair",
        &[Block::new("SPPFCSPC", "cv1 cv2 cv3 cv4 cv5 cv6 cv7 m", sppf_csp)],
    ),
    &of(
        "YOLOv8, in forks of YOLOv5",
        "https://github.com/ultralytics/ultralytics",
        &[Block::new("C2f", "cv1 cv2 m .c", ultralytics::c2f)],
    ),
    &of(
        "YOLOv8-GSM",
        "https://github.com/ainandafiq55/YOLOv8-GSM",
        &[Block::new("GhostBottleneck", "conv", |_| Ok("return self.conv.forward(x) + x".into()))],
    ),
];

const fn of(name: &'static str, source: &'static str, blocks: &'static [Block]) -> Collection {
    Collection { name, source, modules: &["models", "ultralytics"], blocks }
}

/// A block that is an attention and nothing else.
fn attention(attend: impl Fn(&str) -> String) -> String {
    format!("{}return x", attend("x"))
}

/// A bottleneck with these statements between its convolutions, which give `y`, and its shortcut.
fn bottleneck(module: &ModuleView, attend: &str) -> Result<String, String> {
    let shortcut = if module.bool("add")? { "x + " } else { "" };
    Ok(format!("y = self.cv2.forward(self.cv1.forward(x))\n{attend}return {shortcut}y"))
}

/// Weighs channels by what two linear layers make of their means. Statements that change `map`, here and below.
fn excited(map: &str) -> String {
    format!(
        "s = self.l1.forward({map}.mean([2, 3]))
         s = self.sig.forward(self.l2.forward(self.relu.forward(s)))
         {map} = {map} * s.reshape([s.size(0), -1, 1, 1])
         "
    )
}

/// The same with the layers in a list, which may be 1×1 convolutions.
fn squeezed(module: &ModuleView, pool: &str, gate: &str) -> Result<String, String> {
    let last = module.child(gate).and_then(|gate| gate.last_child()).map(|last| last.class_name());
    if !matches!(last, Some("Sigmoid" | "Hardsigmoid" | "h_sigmoid")) {
        return Err(format!("{} has {gate:?} without a sigmoid at its end, which is not understood", module.class()));
    }
    let flat = if begins_linear(module, gate) { ".flatten(1)" } else { "" };
    Ok(format!(
        "s = self.{gate}.forward(self.{pool}.forward(x){flat})
         return x * s.reshape([s.size(0), -1, 1, 1])"
    ))
}

/// Whether the list `name` begins with a linear layer.
fn begins_linear(module: &ModuleView, name: &str) -> bool {
    let first = module.child(name).and_then(|list| list.modules().next().map(|(_, first)| first.class_name()));
    first == Some("Linear")
}

/// The weight of each channel, by its mean and its maximum.
fn of_channels(module: &ModuleView, steps: &[&str]) -> Result<String, String> {
    let made = |pool: &str| yolov5::applied(module, &format!("self.{pool}.forward(x)"), steps);
    Ok(format!("return self.sigmoid.forward({} + {})", made("avg_pool"), made("max_pool")))
}

/// The same with the steps in a list, which may be linear layers.
fn of_channels_by(module: &ModuleView, gate: &str) -> Result<String, String> {
    let (flat, back) =
        if begins_linear(module, "shared_MLP") { (".flatten(1)", ".unsqueeze(2).unsqueeze(3)") } else { ("", "") };
    let made = |pool: &str| format!("self.shared_MLP.forward(self.{pool}.forward(x){flat})");
    Ok(format!("return self.{gate}.forward(({} + {}){back})", made("avg_pool"), made("max_pool")))
}

/// The weight of each place, by the mean and the maximum of its channels.
fn of_places(convolution: &str, gate: &str) -> String {
    format!(
        "self.{gate}.forward(self.{convolution}.forward(torch.cat([x.mean([1], True), torch.max(x, 1, True)[0]], 1)))"
    )
}

/// Attention to channels, then to places. Both give weights; those of the package `ultralytics`, which have other parts, apply them
/// too.
fn both_attentions(module: &ModuleView, map: &str) -> Result<String, String> {
    let attend = |part: &str| {
        let child = module.child(part).filter(|child| child.class_name().contains("Attention"));
        let child = child.ok_or_else(|| format!("{} has {part:?} of an unknown kind", module.class()))?;
        let applies = child.has_child("pool") || child.has_child("cv1");
        let factor = if applies { String::new() } else { format!("{map} * ") };
        Ok(format!("{map} = {factor}self.{part}.forward({map})\n"))
    };
    ["channel_attention", "spatial_attention"].into_iter().map(attend).collect()
}

/// Weighs channels by what a convolution makes of their means and those of the channels beside them.
fn of_neighbours(map: &str) -> String {
    format!(
        "s = self.sigmoid.forward(self.conv.forward({map}.mean([2, 3]).unsqueeze(1)))
         {map} = {map} * s.reshape([s.size(0), -1, 1, 1])
         "
    )
}

/// Weighs rows and columns by their means.
fn of_coordinates(map: &str) -> String {
    format!(
        "s = torch.cat([{map}.mean([3], True), {map}.mean([2], True).permute([0, 1, 3, 2])], 2)
         s = self.act.forward(self.bn1.forward(self.conv1.forward(s)))
         v, u = torch.split(s, [{map}.size(2), {map}.size(3)], 2)
         u = self.conv_w.forward(u.permute([0, 1, 3, 2]))
         {map} = {map} * u.sigmoid() * self.conv_h.forward(v).sigmoid()
         "
    )
}

/// Weighs each value by how far it lies from the mean of its channel.
fn simam(module: &ModuleView) -> Result<String, String> {
    Ok(format!(
        "d = (x - x.mean([2, 3], True)) ** 2
         v = d.sum([2, 3], True) / (x.size(2) * x.size(3) - 1)
         return x * self.activaton.forward(d / (4.0 * (v + {:?})) + 0.5)",
        module.float("e_lambda")?
    ))
}

fn multi_scale(module: &ModuleView) -> Result<String, String> {
    let groups = module.count("groups")?;
    // What the means of one map's channels make of the channels of the other.
    let crossed = |means: &str, map: &str| {
        format!(
            "torch.matmul(torch.softmax({means}.mean([2, 3]).unsqueeze(1), -1), {map}.reshape([n * {groups}, -1, h * w]))"
        )
    };
    Ok(format!(
        "n, c, h, w = x.size(0), x.size(1), x.size(2), x.size(3)
         x = x.reshape([n * {groups}, -1, h, w])
         s = self.conv1x1.forward(torch.cat([x.mean([3], True), x.mean([2], True).permute([0, 1, 3, 2])], 2))
         v, u = torch.split(s, [h, w], 2)
         a = self.gn.forward(x * v.sigmoid() * u.permute([0, 1, 3, 2]).sigmoid())
         b = self.conv3x3.forward(x)
         s = ({} + {}).reshape([n * {groups}, 1, h, w])
         return (x * s.sigmoid()).reshape([n, c, h, w])",
        crossed("a", "b"),
        crossed("b", "a"),
    ))
}

fn residual_attention(module: &ModuleView) -> Result<String, String> {
    let shortcut = if module.bool("downsampling")? { "self.downsample.forward(x)" } else { "x" };
    Ok(format!("return self.relu.forward(self.cbam.forward(self.bottleneck.forward(x)) + {shortcut})"))
}

/// One half of each group's channels is weighed as a whole, the other place by place; then halves are interleaved.
fn shuffled(module: &ModuleView) -> Result<String, String> {
    let groups = module.count("G")?;
    Ok(format!(
        "n, h, w = x.size(0), x.size(2), x.size(3)
         x = x.reshape([n * {groups}, -1, h, w])
         half = (x.size(1) + 1) // 2
         a, b = x[:, 0:half], x[:, half:]
         a = a * self.sigmoid.forward(self.cweight * self.avg_pool.forward(a) + self.cbias)
         b = b * self.sigmoid.forward(self.sweight * self.gn.forward(b) + self.sbias)
         x = torch.cat([a, b], 1).reshape([n, 2, -1, h, w]).permute([0, 2, 1, 3, 4])
         return x.reshape([n, -1, h, w])"
    ))
}

/// Each new pixel is a mean of those around it, weighted by what convolutions make of the map.
fn reassembled(_: &ModuleView) -> Result<String, String> {
    Ok("s = torch.softmax(self.pix_shf.forward(self.enc.forward(self.comp.forward(x))), 1)
        y = self.unfold.forward(self.upsmp.forward(x))
        y = y.reshape([x.size(0), x.size(1), -1, s.size(2), s.size(3)])
        return (y * s.unsqueeze(1)).sum([2])"
        .into())
}

/// A statement that makes `w` the share of each input. Some forks take no weight below 0; training leaves them above.
fn shares(module: &ModuleView) -> Result<String, String> {
    let inputs = module.inputs().len() as u64;
    if module.shape("w") != Some(vec![inputs]) {
        return Err(format!(
            "{} takes {inputs} inputs, and has weights of shape {:?}",
            module.class(),
            module.shape("w")
        ));
    }
    Ok(format!("w = self.w / (self.w.sum() + {:?})\n", module.float("epsilon")?))
}

/// Each input times its share.
fn weighted(module: &ModuleView) -> Vec<String> {
    module.inputs().iter().enumerate().map(|(index, input)| format!("w[{index}] * {input}")).collect()
}

fn weighted_sum(module: &ModuleView) -> Result<String, String> {
    let sum = weighted(module).join(" + ");
    Ok(format!("{}return self.conv.forward(self.silu.forward({sum}))", shares(module)?))
}

fn weighted_concat(module: &ModuleView) -> Result<String, String> {
    Ok(format!("{}return torch.cat([{}], {})", shares(module)?, weighted(module).join(", "), module.int("d")?))
}

/// YOLOv7's SPPCSPC with one window, three times in a row.
fn sppf_csp(_: &ModuleView) -> Result<String, String> {
    let statements = "y1 = self.m.forward(y)\ny2 = self.m.forward(y1)\n";
    Ok(yolov7::pooled(statements, "y1, y2, self.m.forward(y2)"))
}
