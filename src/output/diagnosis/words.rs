//! Where maps look and what is suspicious, in words.

use yolo_cam::diagnose::{ErrorKind, Focus, SameFocus, Side, Suspicion};

/// Where a map looks, for tables: `object`, `other road sign`, `left of the object`.
pub fn looks(focus: Focus, names: &[String]) -> String {
    match focus {
        Focus::Object => "object".to_owned(),
        Focus::Other(class) => format!("other {}", names[class]),
        Focus::Beside(side) => format!("{} the object", side.words()),
    }
}

/// `14 of 20 detections of vest where nothing is look at road sign below; 1 of 40 correct detections do`
pub fn told(suspicion: &Suspicion, names: &[String]) -> String {
    let Suspicion { class_id, error, focus, count, of, correct, of_correct, errors, side, .. } = suspicion;
    let class = &names[*class_id];
    let place = match focus {
        Focus::Object => "at the object".to_owned(),
        Focus::Other(other) if other == class_id => format!("at another {class}"),
        Focus::Other(other) => {
            let side = match side {
                Some(Side::Left) => " on the left",
                Some(Side::Right) => " on the right",
                Some(Side::Above) => " above",
                Some(Side::Below) => " below",
                None => "",
            };
            format!("at {}{side}", names[*other])
        }
        Focus::Beside(side) => format!("{} the object", side.words()),
    };
    let Some(kind) = error else {
        let same =
            errors.iter().map(|SameFocus { error, count, of }| format!("{count} of {of} {}", plural(*error, class)));
        let same: Vec<String> = same.collect();
        let also = if same.is_empty() { String::new() } else { format!("; so do {}", same.join(", ")) };
        return format!("{count} of {of} correct detections of {class} look {place}, not at it{also}");
    };
    format!("{count} of {of} {} look {place}; {correct} of {of_correct} correct detections do", plural(*kind, class))
}

fn plural(kind: ErrorKind, class: &str) -> String {
    match kind {
        ErrorKind::Missed => format!("best predictions for missed objects of {class}"),
        ErrorKind::Background => format!("detections of {class} where nothing is"),
        ErrorKind::Duplicate => format!("duplicate detections of {class}"),
        ErrorKind::Class => format!("detections of {class} that should be another class"),
        ErrorKind::Localization => format!("detections of {class} in the wrong place"),
        ErrorKind::Both => format!("detections of {class} of the wrong class in the wrong place"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspicion(error: Option<ErrorKind>, focus: Focus, side: Option<Side>) -> Suspicion {
        let errors = match error {
            None => vec![SameFocus { error: ErrorKind::Background, count: 5, of: 6 }],
            Some(_) => Vec::new(),
        };
        Suspicion { class_id: 0, error, focus, side, count: 14, of: 20, correct: 1, of_correct: 40, errors, p: None }
    }

    #[test]
    fn suspicions_are_told_in_a_line() {
        let names = ["vest", "road sign"].map(str::to_owned);
        let of = |error, focus, side| told(&suspicion(error, focus, side), &names);
        assert_eq!(
            of(Some(ErrorKind::Background), Focus::Other(1), Some(Side::Below)),
            "14 of 20 detections of vest where nothing is look at road sign below; 1 of 40 correct detections do"
        );
        assert_eq!(
            of(Some(ErrorKind::Class), Focus::Other(0), Some(Side::Left)),
            "14 of 20 detections of vest that should be another class look at another vest; 1 of 40 correct detections do"
        );
        assert_eq!(
            of(None, Focus::Beside(Side::Left), Some(Side::Left)),
            "14 of 20 correct detections of vest look left of the object, not at it; so do 5 of 6 detections of vest where nothing is"
        );
    }
}
