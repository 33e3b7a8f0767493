//! What classifiers have in common: a vector of logits for the whole picture, of which the softmax makes probabilities.
//!
//! The head is a 1×1 convolution on the last feature map, the mean over the map, and a linear layer. There are no boxes: the most
//! probable classes take their place.

use std::marker::PhantomData;

use tch::{Kind, Tensor};

use super::{
    Aspect, CellValues, ClassScale, Extent, Framing, Grid, Habits, Head, Level, Network, Normalization, Place,
    Prediction, Traced, asked_class,
};
use crate::{
    error::{Error, Result},
    geometry::Size,
};

/// What differs between the packages that train classifiers.
pub(super) trait Package: Send + Sync + 'static {
    /// The family.
    const FAMILY: &'static str;

    /// How a picture becomes the input.
    const FRAMING: Framing;

    /// What is done with the colours of the input.
    const NORMALIZATION: Option<Normalization>;

    /// Whether the network's own output is probabilities; else it is logits.
    const GIVES_PROBABILITIES: bool;
}

/// The head of one network.
pub(super) struct ClassifierHead<P> {
    path: String,
    classes: usize,
    /// One, with a single cell: the whole picture.
    levels: Vec<Level>,
    package: PhantomData<P>,
}

/// All heads of classifiers in a network: modules with a 1×1 convolution `conv.conv`, and a layer `linear` that takes its channels.
pub(super) fn find<P: Package>(network: &Network) -> Vec<Box<dyn Head>> {
    let heads = network.tensors.iter().filter_map(|(name, linear)| {
        let path = name.strip_suffix(".linear.weight")?;
        let convolution = network.tensor(&format!("{path}.conv.conv.weight"))?;
        match (linear.size().as_slice(), convolution.size().as_slice()) {
            (&[classes, features], &[channels, _, 1, 1]) if features == channels => {
                let path = path.to_owned();
                let head =
                    ClassifierHead::<P> { path, classes: classes as usize, levels: Vec::new(), package: PhantomData };
                Some(Box::new(head) as Box<dyn Head>)
            }
            _ => None,
        }
    });
    heads.collect()
}

impl<P: Package> Head for ClassifierHead<P> {
    fn family(&self) -> &'static str {
        P::FAMILY
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn outputs(&self) -> Vec<String> {
        vec![format!("{}.linear", self.path)]
    }

    /// Classes of a whole picture are a vector.
    fn unmapped(&self, _: usize, map: Tensor) -> Result<Tensor> {
        Ok(map.f_flatten(1, -1)?)
    }

    fn starts(&self) -> Vec<String> {
        vec![format!("{}.conv", self.path)]
    }

    /// The mean is over all cells.
    fn reach(&self) -> usize {
        usize::MAX
    }

    fn habits(&self) -> Habits {
        Habits {
            img_size: 224,
            conf_threshold: 0.0,
            max_det: 5,
            iou_threshold: None,
            has_many_labels: true,
            drops_empty_masks: false,
            suppressed_suppress: false,
        }
    }

    fn has(&self, _: Aspect) -> bool {
        false
    }

    fn framing(&self) -> Framing {
        P::FRAMING
    }

    fn normalization(&self) -> Option<Normalization> {
        P::NORMALIZATION
    }

    fn rows(&self, output: &Tensor) -> Result<Option<Tensor>> {
        Ok(if output.dim() == 2 { Some(output.f_unsqueeze(1)?) } else { None })
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn class_channels(&self) -> Vec<Vec<usize>> {
        vec![vec![0]]
    }

    fn trains_classes(&self) -> bool {
        true
    }

    fn values_per_box(&self) -> usize {
        self.classes
    }

    fn measure(&mut self, shapes: &[Vec<i64>], input: Size) -> std::result::Result<(), String> {
        match shapes {
            [shape] if shape.as_slice() == [1, self.classes as i64, 1, 1] => {
                self.levels = Level::with_strides(&[0], |_| vec![0]);
                Ok(())
            }
            other => Err(format!("has a head {} with outputs {other:?} for a {input} input", self.path)),
        }
    }

    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn cells(&self, _: usize, _: Size) -> (usize, usize) {
        (1, 1)
    }

    fn predictions_in(&self, _: usize, cells: usize) -> usize {
        cells
    }

    fn channels(&self) -> Vec<usize> {
        vec![self.classes]
    }

    fn sample_rows(&self, _: Size, raw: &dyn Fn(usize, usize) -> f32) -> Vec<(usize, Vec<f32>)> {
        let logits: Vec<f32> = (0..self.classes).map(|class| raw(0, class)).collect();
        let log_sum = log_sum(&logits);
        let values = logits.iter().map(|&logit| if P::GIVES_PROBABILITIES { (logit - log_sum).exp() } else { logit });
        vec![(0, values.collect())]
    }

    fn promising_cells(&self, _: usize, _: &[Tensor], _: f32) -> Result<Option<Vec<usize>>> {
        Ok(None)
    }

    fn scan(
        &self,
        grid: &Grid,
        cells: &mut dyn Iterator<Item = usize>,
        values: &[&[f32]],
        least: f32,
        visit: &mut dyn FnMut(&Prediction<'_>) -> f32,
    ) {
        const PRESENCE: f32 = 1.0;
        let class_logits = values[0];
        let log_sum = log_sum(class_logits);
        if cells.next().is_none() || !log_sum.is_finite() || PRESENCE <= least {
            return;
        }
        let place = Place { level: grid.level, row: 0, column: 0, slot: 0, index: grid.first_index };
        let class_scale = ClassScale::Softmax { log_sum };
        visit(&Prediction {
            place,
            box_input: None,
            rotated: None,
            keypoints: &[],
            presence: PRESENCE,
            class_logits,
            class_scale,
        });
    }

    fn trace<'a>(
        &'a self,
        place: &Place,
        classes: &[usize],
        values: Box<CellValues<'a>>,
    ) -> Result<Box<dyn Traced + 'a>> {
        Ok(Box::new(TracedPicture { head: self, place: *place, classes: classes.to_vec(), values }))
    }
}

/// What is said of a picture.
struct TracedPicture<'a, P> {
    head: &'a ClassifierHead<P>,
    place: Place,
    classes: Vec<usize>,
    values: Box<CellValues<'a>>,
}

impl<P: Package> TracedPicture<'_, P> {
    fn logits(&self, classes: &[usize]) -> Result<Tensor> {
        (self.values)(0, classes, (self.place.row, self.place.column))
    }
}

impl<P: Package> Traced for TracedPicture<'_, P> {
    fn class_logit(&self, n: usize) -> Result<Tensor> {
        Ok(self.logits(&[asked_class(&self.classes, n)?])?.f_get(0)?)
    }

    fn class_probability(&self, n: usize) -> Result<Tensor> {
        let all: Vec<usize> = (0..self.head.classes).collect();
        Ok(self.logits(&all)?.f_softmax(0, None::<Kind>)?.f_get(asked_class(&self.classes, n)? as i64)?)
    }

    fn presence_logit(&self) -> Result<Option<Tensor>> {
        Ok(None)
    }

    fn extent(&self, _: Extent) -> Result<Tensor> {
        Err(Error::TargetMissing { target: "edge".to_owned(), family: P::FAMILY.to_owned(), lacks: Aspect::Box.name() })
    }
}

/// The logarithm of the sum of the exponentials, which do not overflow.
fn log_sum(logits: &[f32]) -> f32 {
    // NaN is taken for less than anything by `max`, and comes back with the sum.
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    most + logits.iter().map(|&logit| (logit - most).exp()).sum::<f32>().ln()
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::families::{find_head, yolov8_cls::Ultralytics};

    fn head() -> ClassifierHead<Ultralytics> {
        let level = Level::with_strides(&[0], |_| vec![0]);
        ClassifierHead { path: "model.9".to_owned(), classes: 3, levels: level, package: PhantomData }
    }

    const GRID: Grid = Grid { level: 0, height: 1, width: 1, first_index: 0 };

    fn probabilities(logits: &[f32]) -> Vec<f32> {
        let mut found = Vec::new();
        head().scan(&GRID, &mut [0].into_iter(), &[logits], -1.0, &mut |prediction| {
            assert!(prediction.box_input.is_none());
            found = (0..3).map(|class| prediction.confidence(class)).collect();
            -1.0
        });
        found
    }

    #[test]
    fn probabilities_are_the_softmax() {
        let (a, b, c) = (1.0f32.exp(), (-1.0f32).exp(), 2.0f32.exp());
        for (found, expected) in probabilities(&[1.0, -1.0, 2.0]).iter().zip([a, b, c]) {
            assert!((found - expected / (a + b + c)).abs() < 1e-6);
        }
        assert_eq!(probabilities(&[500.0, 0.0, -500.0]), [1.0, 0.0, 0.0], "nothing overflows");
    }

    #[test]
    fn no_number_is_no_prediction() {
        assert!(probabilities(&[1.0, f32::NAN, 2.0]).is_empty());
        assert!(probabilities(&[1.0, f32::INFINITY, 2.0]).is_empty());
    }

    #[test]
    fn a_probability_has_the_gradient_of_the_softmax() {
        let raw = Tensor::from_slice(&[0.5f32, 1.5, -0.5]).set_requires_grad(true);
        let values = |_: usize, classes: &[usize], _: (usize, usize)| {
            let classes: Vec<i64> = classes.iter().map(|&class| class as i64).collect();
            Ok(raw.f_index_select(0, &Tensor::from_slice(&classes))?)
        };
        let place = Place { level: 0, row: 0, column: 0, slot: 0, index: 0 };
        let head = head();
        let probability = head.trace(&place, &[1], Box::new(values)).unwrap().class_probability(0).unwrap();
        let expected = raw.softmax(0, Kind::Float).double_value(&[1]);
        assert!((probability.double_value(&[]) - expected).abs() < 1e-6);
        let gradient = Tensor::run_backward(&[probability], &[&raw], false, false).remove(0);
        assert!((gradient.double_value(&[1]) - expected * (1.0 - expected)).abs() < 1e-6);
    }

    #[test]
    fn the_packages_are_told_apart_by_the_version_that_only_one_writes() {
        let options = (Kind::Float, Device::Cpu);
        let tensors = [
            ("model.9.conv.conv.weight".to_owned(), Tensor::zeros([8, 4, 1, 1], options)),
            ("model.9.linear.weight".to_owned(), Tensor::zeros([3, 8], options)),
        ];
        let family = |version| {
            let network = Network { tensors: &tensors, version, ..Network::default() };
            find_head(&network).map(|head| (head.family(), head.normalization().is_some()))
        };
        assert_eq!(family(Some("8.3.0")), Ok(("YOLOv8-cls", false)));
        assert_eq!(family(None), Ok(("YOLOv5-cls", true)));
    }
}
