//! RT-DETR: Zhao et al., CVPR 2024, <https://arxiv.org/abs/2304.08069>; its backbones HGNetV2 and ResNet, its encoder, and its
//! decoder, whose deformable attention is that of Zhu et al., ICLR 2021, <https://arxiv.org/abs/2010.04159>.

use super::{
    super::{Block, Task},
    yolov8::Steps,
};
use crate::{limits::Limits, model::checkpoint::view::ModuleView};

pub(super) const BLOCKS: &[Block] = &[
    Block::new("HGStem", "stem1 stem2a stem2b stem3 stem4 pool", hg_stem),
    Block::new("HGBlock", "m sc ec .add", hg_block),
    Block::new("LightConv", "conv1 conv2", |_| Ok("return self.conv2.forward(self.conv1.forward(x))".into())),
    Block::new("ResNetLayer", "layer .is_first", |_| Ok("return self.layer.forward(x)".into())),
    Block::new("ResNetBlock", "cv1 cv2 cv3 shortcut", resnet_block),
    Block::new("RepC3", "cv1 cv2 m cv3", rep_c3),
    Block::new("AIFI", "ma fc1 fc2 norm1 norm2 dropout dropout1 dropout2 act .normalize_before", aifi),
    Block::new("MLP", "layers act? out_norm? .num_layers .sigmoid? .residual?", mlp),
    Block::new("MSDeformAttn", "sampling_offsets attention_weights value_proj output_proj .im2col_step .d_model .n_levels .n_heads .n_points", deformable_attention)
        .taking(|_| names(&["sizes: List[int]", "features", "boxes", "x"])),
    Block::new(
        "DeformableTransformerDecoderLayer",
        "self_attn dropout1 norm1 cross_attn dropout2 norm2 linear1 act dropout3 linear2 dropout4 norm3",
        decoder_layer,
    )
    .taking(|_| names(&["sizes: List[int]", "features", "boxes", "places", "x"])),
    // The head calls its layers.
    Block::new("DeformableTransformerDecoder", "layers .num_layers .hidden_dim .eval_idx", |_| Ok(String::new())),
    Block::new(
        "RTDETRDecoder",
        "input_proj decoder denoising_class_embed? tgt_embed? query_pos_head enc_output enc_score_head enc_bbox_head \
         dec_score_head dec_bbox_head .hidden_dim .nhead .nl .nc .num_queries .num_decoder_layers .num_denoising \
         .label_noise_ratio .box_noise_scale .learnt_init_query .max_det? .anchors? .valid_mask? .shapes? .stride? .dynamic? \
         .export? .format?",
        decoder,
    )
    .head(Task::Detect),
];

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// A column and a row of zeros on the right and the bottom keep the size through what works on 2×2 pixels.
fn hg_stem(_: &ModuleView) -> Result<String, String> {
    let padded = |value: &str| format!("torch.constant_pad_nd({value}, [0, 1, 0, 1], 0.0)");
    Ok(format!(
        "x = {}
         a = self.stem2a.forward(x)
         b = self.stem2b.forward({})
         x = torch.cat([self.pool.forward(x), b], 1)
         return self.stem4.forward(self.stem3.forward(x))",
        padded("self.stem1.forward(x)"),
        padded("a"),
    ))
}

/// The input and what one module of `m` after the other makes of it, squeezed and excited.
fn hg_block(module: &ModuleView) -> Result<String, String> {
    let steps = Steps::of(module, "x");
    let shortcut = if module.bool("add")? { " + x" } else { "" };
    Ok(format!(
        "{}return self.ec.forward(self.sc.forward(torch.cat([x, {}], 1))){shortcut}",
        steps.calls, steps.results
    ))
}

fn resnet_block(_: &ModuleView) -> Result<String, String> {
    Ok("y = self.cv3.forward(self.cv2.forward(self.cv1.forward(x)))
        return torch.relu(y + self.shortcut.forward(x))"
        .into())
}

pub(in super::super) fn rep_c3(_: &ModuleView) -> Result<String, String> {
    Ok("return self.cv3.forward(self.m.forward(self.cv1.forward(x)) + self.cv2.forward(x))".into())
}

/// A layer of a transformer's encoder, whose tokens are the cells of a map. Each is told its place by sines and cosines of its
/// row, then of its column.
fn aifi(module: &ModuleView) -> Result<String, String> {
    let width = module.child("ma").ok_or("AIFI has no attention")?.count("embed_dim")?;
    if width % 4 != 0 {
        return Err(format!("an encoder of width {width} has no sines and cosines for rows and columns"));
    }
    let options = "dtype=x.dtype, device=x.device";
    let attend = |tokens: &str| {
        format!(
            "q = {tokens} + places
             q = torch.cat([q, q, {tokens}], 2).transpose(0, 1)
             "
        )
    };
    let attended = "self.ma.forward(q).transpose(0, 1)";
    let feed = |tokens: &str| format!("self.fc2.forward(self.act.forward(self.fc1.forward({tokens})))");
    let layer = match module.bool("normalize_before")? {
        false => format!(
            "{}t = self.norm1.forward(t + {attended})
             t = self.norm2.forward(t + {})
             ",
            attend("t"),
            feed("t")
        ),
        true => format!(
            "y = self.norm1.forward(t)
             {}t = t + {attended}
             y = self.norm2.forward(t)
             t = t + {}
             ",
            attend("y"),
            feed("y")
        ),
    };
    Ok(format!(
        "n, h, w = x.size(0), x.size(2), x.size(3)
         f = torch.pow(10000.0, torch.arange({quarter}, {options}) / {quarter}.0).reciprocal().view([1, 1, {quarter}])
         r = torch.arange(h, {options}).view([h, 1, 1]) * f
         c = torch.arange(w, {options}).view([1, w, 1]) * f
         r, c = r.expand([h, w, {quarter}]), c.expand([h, w, {quarter}])
         places = torch.cat([r.sin(), r.cos(), c.sin(), c.cos()], 2).view([1, h * w, {width}])
         t = x.flatten(2).transpose(1, 2)
         {layer}return t.transpose(1, 2).reshape([n, {width}, h, w])",
        quarter = width / 4,
    ))
}

/// Linear layers with an activation between each and the next: a ReLU before the class could have another.
fn mlp(module: &ModuleView) -> Result<String, String> {
    let layers: Vec<&str> = module.children_of("layers").collect();
    let act = if module.has_child("act") { "self.act.forward" } else { "torch.relu" };
    let mut body = "y = x\n".to_owned();
    for (index, layer) in layers.iter().enumerate() {
        let step = format!("getattr(self.layers, {layer:?}).forward(y)");
        body += &match index + 1 < layers.len() {
            true => format!("y = {act}({step})\n"),
            false => format!("y = {step}\n"),
        };
    }
    if module.bool_or("residual", false)? {
        body += "y = y + x\n";
    }
    if module.has_child("out_norm") {
        body += "y = self.out_norm.forward(y)\n";
    }
    Ok(body + if module.bool_or("sigmoid", false)? { "return y.sigmoid()" } else { "return y" })
}

/// Each query `x` `[N, q, C]` looks at a few points around its box `[N, q, 4]` (centre and size as shares of the input) in each level:
/// `features` `[N, tokens, C]`, of maps whose rows and columns are `sizes`, level after level.
fn deformable_attention(module: &ModuleView) -> Result<String, String> {
    let [width, heads, levels, points] = ["d_model", "n_heads", "n_levels", "n_points"].map(|name| module.count(name));
    let (width, heads, levels, points) = (width?, heads?, levels?, points?);
    if width % heads != 0 || levels > MOST_LEVELS {
        return Err(format!("an attention of width {width} with {heads} heads to {levels} levels makes no sense"));
    }
    let (size, all) = (width / heads, levels * points);
    let mut samples = "a0 = 0\n".to_owned();
    for level in 0..levels {
        let (rows, columns, next) = (2 * level, 2 * level + 1, level + 1);
        let (from, to) = (level * points, next * points);
        samples += &format!(
            "a{next} = a{level} + sizes[{rows}] * sizes[{columns}]
             m{level} = v[:, :, a{level}:a{next}].reshape([n * {heads}, {size}, sizes[{rows}], sizes[{columns}]])
             s{level} = torch.grid_sampler(m{level}, g[:, :, {from}:{to}], 0, 0, False)
             "
        );
    }
    let sampled = (0..levels).map(|level| format!("s{level}")).collect::<Vec<_>>().join(", ");
    Ok(format!(
        "n, q = x.size(0), x.size(1)
         v = self.value_proj.forward(features)
         v = v.reshape([n, v.size(1), {heads}, {size}]).permute([0, 2, 3, 1]).flatten(0, 1)
         o = self.sampling_offsets.forward(x).reshape([n, q, {heads}, {all}, 2])
         w = torch.softmax(self.attention_weights.forward(x).reshape([n, q, {heads}, {all}]), -1)
         b = boxes.reshape([n, q, 1, 1, 4])
         g = b[:, :, :, :, 0:2] + o / {points}.0 * b[:, :, :, :, 2:4] * 0.5
         g = (g * 2.0 - 1.0).permute([0, 2, 1, 3, 4]).flatten(0, 1)
         {samples}w = w.permute([0, 2, 1, 3]).reshape([n * {heads}, 1, q, {all}])
         y = (torch.cat([{sampled}], -1) * w).sum([-1]).reshape([n, {width}, q])
         return self.output_proj.forward(y.transpose(1, 2))"
    ))
}

/// More than any pyramid has.
const MOST_LEVELS: i64 = 16;

/// Queries `x` look at each other, then at the features, and think. `places`: what they are told of their boxes.
fn decoder_layer(_: &ModuleView) -> Result<String, String> {
    Ok("q = x + places
        q = torch.cat([q, q, x], 2).transpose(0, 1)
        x = self.norm1.forward(x + self.self_attn.forward(q).transpose(0, 1))
        x = self.norm2.forward(x + self.cross_attn.forward(sizes, features, boxes, x + places))
        return self.norm3.forward(x + self.linear2.forward(self.act.forward(self.linear1.forward(x))))"
        .into())
}

/// What `model.export(format="torchscript")` gives: the best pairs of a query and a class, `[N, pairs, 6]`: centre, width and
/// height of a box as shares of the input, the probability, and the class.
fn decoder(module: &ModuleView) -> Result<String, String> {
    let [levels, classes, queries, width] = ["nl", "nc", "num_queries", "hidden_dim"].map(|name| module.count(name));
    let (levels, classes, queries, width) = (levels?, classes?, queries?, width?);
    let inputs = module.inputs();
    if levels > MOST_LEVELS || inputs.len() as i64 != levels {
        return Err(format!("its head takes {} levels, and says that it takes {levels}", inputs.len()));
    }
    let parts = module.child("decoder").ok_or("a head without \"decoder\"")?;
    let layers = parts.count("num_layers")?;
    if parts.int("eval_idx")? != layers - 1 {
        return Err("its head stops before the last layer of its decoder; only heads that run all are supported".into());
    }
    for list in ["dec_score_head", "dec_bbox_head"] {
        let found = module.children_of(list).count() as i64;
        if found != layers || layers > Limits::BLOCK_INPUTS as i64 {
            return Err(format!("its head has {layers} layers in its decoder, and {list} has parts for {found}"));
        }
    }
    let anchors = (0..levels).map(|level| format!("g{level}")).collect::<Vec<_>>().join(", ");
    let tokens = (0..levels).map(|level| format!("t{level}")).collect::<Vec<_>>().join(", ");
    let sizes = (0..levels).map(|level| format!("h{level}, w{level}")).collect::<Vec<_>>().join(", ");
    let maps = inputs.iter().enumerate().map(|(level, input)| anchors_of(level, input)).collect::<String>();
    let content = match module.bool_or("learnt_init_query", false)? {
        true => format!("self.tgt_embed.weight[0:k].unsqueeze(0).expand([n, k, {width}])"),
        false => "chosen".to_owned(),
    };
    let steps = (0..layers).map(|layer| {
        format!(
            "places = self.query_pos_head.forward(boxes)
             x = getattr(self.decoder.layers, \"{layer}\").forward([{sizes}], features, boxes, places, x)
             shift = getattr(self.dec_bbox_head, \"{layer}\").forward(x)
             boxes = boxes.clamp(0.0, 1.0)
             boxes = (shift + (boxes.clamp_min({LEAST}) / (1.0 - boxes).clamp_min({LEAST})).log()).sigmoid()
             "
        )
    });
    let steps: String = steps.collect();
    let last = layers - 1;
    // Exports give no more boxes than this.
    let most = queries.min(MOST_BOXES);
    Ok(format!(
        "{maps}features = torch.cat([{tokens}], 1)
         anchors = torch.cat([{anchors}], 0)
         valid = ((anchors > {margin}) & (anchors < {far})).to(features.dtype).amin([1], True)
         anchors = (anchors / (1.0 - anchors)).log()
         anchors = torch.where(valid > 0.0, anchors, torch.full_like(anchors, {infinite}))
         n, m = features.size(0), features.size(1)
         k = min({queries}, m)
         encoded = self.enc_output.forward(features * valid.unsqueeze(0))
         best = torch.topk(self.enc_score_head.forward(encoded).amax([2]), k, 1)[1].unsqueeze(2)
         chosen = encoded.gather(1, best.expand([n, k, {width}]))
         boxes = anchors.unsqueeze(0).expand([n, m, 4]).gather(1, best.expand([n, k, 4]))
         boxes = (self.enc_bbox_head.forward(chosen) + boxes).sigmoid()
         x = {content}
         {steps}scores = getattr(self.dec_score_head, \"{last}\").forward(x).sigmoid().flatten(1)
         scores, best = torch.topk(scores, min({most}, k * {classes}), 1)
         query = torch.floor_divide(best, {classes})
         boxes = boxes.gather(1, query.unsqueeze(2).expand([n, best.size(1), 4]))
         label = (best - query * {classes}).to(boxes.dtype)
         return torch.cat([boxes, scores.unsqueeze(2), label.unsqueeze(2)], 2)",
        margin = MARGIN,
        far = 1.0 - MARGIN,
        infinite = "float(\"inf\")",
    ))
}

/// A cell nearer to an edge of the input than this, as a share of it, is no query, and a box no smaller.
const MARGIN: f64 = 0.01;

/// Shares are kept this far from 0 and 1 before their logits are taken.
const LEAST: &str = "0.00001";

/// The package's `max_det`.
const MOST_BOXES: i64 = 300;

/// Statements that make the tokens of a level, and the boxes that its cells begin with: centred, and wider with each level.
fn anchors_of(level: usize, input: &str) -> String {
    let side = 0.05 * f64::powi(2.0, level as i32);
    let options = format!("dtype=f{level}.dtype, device=f{level}.device");
    format!(
        "f{level} = getattr(self.input_proj, \"{level}\").forward({input})
         h{level}, w{level} = f{level}.size(2), f{level}.size(3)
         t{level} = f{level}.flatten(2).transpose(1, 2)
         u = ((torch.arange(w{level}, {options}) + 0.5) / w{level}).view([1, w{level}, 1]).expand([h{level}, w{level}, 1])
         v = ((torch.arange(h{level}, {options}) + 0.5) / h{level}).view([h{level}, 1, 1]).expand([h{level}, w{level}, 1])
         s = torch.full_like(u, {side:?})
         g{level} = torch.cat([u, v, s, s], 2).view([h{level} * w{level}, 4])
         "
    )
}
