//! The layers that a user can name.

use super::ffi::Call;
use crate::{
    error::{Error, Result},
    families::{Head, Level},
};

/// A module call in the network whose output is one tensor.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Dotted path, `model.23.cv3.act`. A second call of the same module has `#2` behind it.
    pub path: String,
    /// Class name, `SiLU`.
    pub class: String,
    /// Levels, as bits.
    sees: u64,
    feeds: u64,
    /// What the head starts from, as bits.
    starts: u64,
    feeds_prototypes: bool,
}

impl Layer {
    /// Whether level `level` (in order of the file) depends on this layer. Otherwise its gradient here is zero.
    pub fn is_seen_by(&self, level: usize) -> bool {
        self.sees >> level & 1 == 1
    }

    /// Whether the prototypes of masks depend on this layer: then the mask of any box does.
    pub fn is_seen_by_masks(&self) -> bool {
        self.feeds_prototypes
    }

    /// Whether this layer's output is what level `level` (in order of the file) is predicted from, or a part of that.
    pub fn feeds(&self, level: usize) -> bool {
        self.feeds >> level & 1 == 1
    }
}

/// All layers of a network in order of execution, an outer one before those inside it.
#[derive(Debug, Clone)]
pub(super) struct Layers {
    pub list: Vec<Layer>,
    /// The path of the module that is the head, `model.24`.
    head_module: String,
    /// What each level starts from, as bits.
    starts_of: Vec<u64>,
}

impl Layers {
    /// Keeps the calls at which a box can be explained: those outside the detection head.
    pub fn new(calls: Vec<Call>, head: &dyn Head) -> Self {
        let levels: Vec<u64> = head.levels().iter().map(|level| bits(&level.outputs)).collect();
        let of_levels = |outputs: u64| bits((0..levels.len()).filter(|&level| levels[level] & outputs != 0));
        let starts_of: Vec<u64> = (0..levels.len()).map(|level| bits(head.starts_of(level))).collect();
        let fed_by = |starts: u64| bits((0..levels.len()).filter(|&level| starts_of[level] & starts != 0));
        let masks = head.mask_outputs().len();
        let prototypes = if masks > 0 { bits([head.outputs().len() + masks - 1]) } else { 0 };
        let layer = |Call { path, class, sees, feeds }: Call| Layer {
            path,
            class,
            sees: of_levels(sees),
            feeds: fed_by(feeds),
            starts: feeds,
            feeds_prototypes: sees & prototypes != 0,
        };
        let layers: Vec<Layer> = calls.into_iter().map(layer).collect();
        Self::outside(layers.into_iter(), head.path(), starts_of)
    }

    fn outside(layers: impl Iterator<Item = Layer>, head_module: &str, starts_of: Vec<u64>) -> Self {
        let inside = format!("{head_module}.");
        let list = layers.filter(|layer| layer.path != head_module && !layer.path.starts_with(&inside)).collect();
        Self { list, head_module: head_module.to_owned(), starts_of }
    }

    /// Index of the layer that a user means by `name`: `model.23.cv3.act`, `model_23_cv3_act`, or `23`, which
    /// stands beside the head.
    pub fn find(&self, name: &str) -> Result<usize> {
        let parent = self.head_module.rsplit_once('.').map_or("", |(parent, _)| parent);
        let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        let full = if is_number && !parent.is_empty() { format!("{parent}.{name}") } else { name.to_owned() };
        let wanted = underscored(&full);
        if let Some(index) = self.list.iter().position(|layer| underscored(&layer.path) == wanted) {
            return Ok(index);
        }
        let head = underscored(&self.head_module);
        if wanted == head || wanted.starts_with(&format!("{head}_")) {
            return Err(Error::LayerUnusable {
                name: name.to_owned(),
                problem: format!(
                    "it belongs to the detection head; take 'auto' or a layer before {}",
                    self.head_module
                ),
            });
        }
        Err(Error::LayerNotFound { name: name.to_owned(), similar: self.similar(&wanted) })
    }

    fn similar(&self, wanted: &str) -> Option<String> {
        self.list
            .iter()
            .map(|layer| (strsim::damerau_levenshtein(&underscored(&layer.path), wanted), layer))
            .filter(|(distance, _)| *distance <= 3)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, layer)| layer.path.clone())
    }

    /// Indices of the layers that no other layer contains.
    pub fn outermost(&self) -> impl DoubleEndedIterator<Item = usize> {
        (0..self.list.len()).filter(|&index| {
            let path = &self.list[index].path;
            let contains = |outer: &Layer| path.strip_prefix(&outer.path).is_some_and(|rest| rest.starts_with('.'));
            !self.list[..index].iter().any(contains)
        })
    }

    /// The path of the module that is the head.
    pub fn head_module(&self) -> &str {
        &self.head_module
    }

    /// Indices of the layers that feed `levels[level]`: of each of its inputs the outermost module with that output.
    pub fn feeds_of(&self, level: usize, levels: &[Level]) -> Result<Vec<usize>> {
        let starts = (0..u64::BITS).filter(|start| self.starts_of[level] >> start & 1 == 1);
        let of_start = |start: u32| self.list.iter().position(|layer| layer.starts >> start & 1 == 1);
        let mut feeds = starts.map(of_start).collect::<Option<Vec<usize>>>().ok_or_else(|| Error::LayerUnusable {
            name: "auto".into(),
            problem: format!(
                "no layer's output is the input of the {} head; name a layer instead",
                levels[level].name()
            ),
        })?;
        feeds.sort_unstable();
        feeds.dedup();
        Ok(feeds)
    }
}

/// A set of small numbers.
fn bits(numbers: impl IntoIterator<Item = impl std::borrow::Borrow<usize>>) -> u64 {
    numbers.into_iter().fold(0, |bits, number| bits | 1 << number.borrow())
}

/// The spelling in which dots and underscores are the same.
fn underscored(path: &str) -> String {
    path.replace('.', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers() -> Layers {
        let layer = |path: &str, sees, feeds| Layer {
            path: path.into(),
            class: "Conv".into(),
            sees,
            feeds,
            starts: feeds,
            feeds_prototypes: false,
        };
        Layers::outside(
            [
                layer("model.2", 0b11, 0),
                layer("model.9", 0b11, 0b01),
                layer("model.9.cv2_x.act", 0b11, 0b01),
                layer("model.24", 0, 0),
                layer("model.24.m.0", 0b01, 0),
                layer("model.240", 0b10, 0b10),
            ]
            .into_iter(),
            "model.24",
            vec![0b01, 0b10, 0b11],
        )
    }

    fn find(name: &str) -> Result<String> {
        let layers = layers();
        layers.find(name).map(|index| layers.list[index].path.clone())
    }

    #[test]
    fn a_layer_has_three_spellings() {
        for name in ["9", "model.9", "model_9"] {
            assert_eq!(find(name).unwrap(), "model.9");
        }
        for name in ["model.9.cv2_x.act", "model_9_cv2_x_act"] {
            assert_eq!(find(name).unwrap(), "model.9.cv2_x.act");
        }
    }

    #[test]
    fn an_unknown_layer_is_an_error_with_a_suggestion() {
        assert!(matches!(find("model_99"), Err(Error::LayerNotFound { similar: Some(s), .. }) if s == "model.9"));
        assert!(matches!(find("backbone.stage1.block"), Err(Error::LayerNotFound { similar: None, .. })));
        assert!(matches!(find(""), Err(Error::LayerNotFound { .. })));
    }

    #[test]
    fn the_head_itself_is_no_layer() {
        for name in ["24", "model_24_m_0", "model.24.m.7"] {
            assert!(matches!(find(name), Err(Error::LayerUnusable { .. })), "{name}");
        }
        assert_eq!(find("240").unwrap(), "model.240");
    }

    #[test]
    fn the_outermost_module_feeds_a_head() {
        let layers = layers();
        assert_eq!(layers.feeds_of(0, &[]).unwrap(), [1]);
        assert_eq!(layers.feeds_of(1, &[]).unwrap(), [3]);
        assert_eq!(layers.feeds_of(2, &[]).unwrap(), [1, 3], "it has two inputs");
    }
}
