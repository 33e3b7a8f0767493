//! Slim-neck: Li et al., 2022, <https://arxiv.org/abs/2206.02424>.

use super::{Block, Collection};
use crate::model::checkpoint::view::ModuleView;

pub(super) const BLOCKS: Collection = Collection {
    name: "Slim-neck",
    source: "https://github.com/AlanLi1997/slim-neck-by-gsconv",
    modules: &["models", "ultralytics"],
    blocks: &[
        Block::new("GSConv", "cv1 cv2", gs_conv).doubtful(
            "some forks shuffle the channels of GSConv differently from the original, or not at all, and a checkpoint does not say which; \
             it runs as the original does, and a TorchScript export made with the fork's own code would settle it",
        ),
        Block::new("GSBottleneck", "conv_lighting shortcut", gs_bottleneck),
        Block::new("GSBottleneckC", "conv_lighting shortcut", gs_bottleneck),
        // What is called `res` is not used.
        Block::new("VoVGSCSP", "cv1 cv2 gsb res cv3", vov_gs_csp),
        Block::new("VoVGSCSPC", "cv1 cv2 gsb res cv3", vov_gs_csp),
    ],
};

/// Half of the channels is made of the other half; then those of even number come first.
fn gs_conv(_: &ModuleView) -> Result<String, String> {
    Ok("y = self.cv1.forward(x)
        y = torch.cat([y, self.cv2.forward(y)], 1)
        return torch.cat([y[:, 0::2], y[:, 1::2]], 1)"
        .into())
}

fn gs_bottleneck(_: &ModuleView) -> Result<String, String> {
    Ok("return self.conv_lighting.forward(x) + self.shortcut.forward(x)".into())
}

fn vov_gs_csp(_: &ModuleView) -> Result<String, String> {
    Ok("return self.cv3.forward(torch.cat([self.cv2.forward(x), self.gsb.forward(self.cv1.forward(x))], 1))".into())
}
