//! Where maps look and what is suspicious, in words.

use yolo_cam::diagnose::{ErrorKind, Focus, SameFocus, Suspicion};

/// Where a map looks, for tables: `object`, `other road sign`, `left of the object`.
pub fn looks(focus: Focus, names: &[String]) -> String {
    match focus {
        Focus::Object => "object".to_owned(),
        Focus::Other(class) => format!("other {}", names[class]),
        Focus::Beside(side) => format!("{} the object", side.words()),
    }
}

/// `14 of 20 background errors of vest look at road sign; 1 of 40 correct detections do`
pub fn told(suspicion: &Suspicion, names: &[String]) -> String {
    let Suspicion { class_id, error, focus, count, of, correct, of_correct, errors, .. } = suspicion;
    let class = &names[*class_id];
    let place = match focus {
        Focus::Object => "at the object".to_owned(),
        Focus::Other(other) if other == class_id => format!("at another {class}"),
        Focus::Other(other) => format!("at {}", names[*other]),
        Focus::Beside(side) => format!("{} the object", side.words()),
    };
    let Some(kind) = error else {
        let same =
            errors.iter().map(|SameFocus { error, count, of }| format!("{count} of {of} {}", plural(*error, class)));
        let same: Vec<String> = same.collect();
        let also = if same.is_empty() { String::new() } else { format!("; so do {}", same.join(", ")) };
        return format!("{count} of {of} correct detections of {class} look {place}, not at it{also}");
    };
    let compared = match of_correct {
        0 => "no detection is correct".to_owned(),
        _ => format!("{correct} of {of_correct} correct detections do"),
    };
    format!("{count} of {of} {} look {place}; {compared}", plural(*kind, class))
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
