//! `--names`: class names, in the forms that people have them in.

use std::path::Path;

use anyhow::{Result, anyhow, bail};

use super::{data_yaml::DataYaml, text_file};

/// The names that `a,b`, `a b`, `[a, b]`, a text file with a name on each line, or a `data.yaml` give.
///
/// # Errors
/// If the file can't be read or has no names, or a name is empty.
pub fn class_names(items: &[String]) -> Result<Vec<String>> {
    if let [file] = items
        && let Some(ending) = Path::new(file).extension().and_then(|ending| ending.to_str())
    {
        match ending.to_ascii_lowercase().as_str() {
            "txt" | "names" => return lines(&text(file)?, file),
            "yaml" | "yml" => return of_yaml(&text(file)?, file),
            _ => {}
        }
    }
    let joined = items.join(" ");
    let list = joined.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let names: Vec<String> = match list {
        Some(list) => list.split(',').map(|name| name.trim().trim_matches(['"', '\'']).to_owned()).collect(),
        None => items.iter().flat_map(|item| item.split(',')).map(|name| name.trim().to_owned()).collect(),
    };
    if names.iter().any(String::is_empty) {
        bail!("--names has an empty name; expected names separated by single commas");
    }
    Ok(names)
}

fn text(file: &str) -> Result<String> {
    text_file::read(Path::new(file), "--names:")
}

fn lines(text: &str, file: &str) -> Result<Vec<String>> {
    let names: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    // Empty lines at the end are none.
    let end = names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
    match names[..end].iter().position(String::is_empty) {
        _ if end == 0 => bail!("--names: {file:?} is empty; expected a name on each line"),
        Some(line) => bail!("--names: line {} of {file:?} is empty; expected a name on each line", line + 1),
        None => Ok(names[..end].to_vec()),
    }
}

fn of_yaml(text: &str, file: &str) -> Result<Vec<String>> {
    DataYaml::parse(text).and_then(DataYaml::into_names).map_err(|problem| anyhow!("--names: {file:?} {problem}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(items: &[&str]) -> Result<Vec<String>> {
        class_names(&items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn names_come_in_several_forms() {
        let expected = ["helmet", "safety vest"];
        assert_eq!(names(&["helmet,safety vest"]).unwrap(), expected);
        assert_eq!(names(&["helmet", "safety vest"]).unwrap(), expected);
        assert_eq!(names(&["[helmet,", "safety vest]"]).unwrap(), expected);
        assert_eq!(names(&["['helmet', \"safety vest\"]"]).unwrap(), expected);
        assert!(names(&["a,,b"]).unwrap_err().to_string().contains("empty name"));
    }

    #[test]
    fn names_are_read_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let of_file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            names(&[path.to_str().unwrap()]).map_err(|error| error.to_string())
        };
        let expected = Ok(vec!["helmet".to_owned(), "safety vest".to_owned()]);
        assert_eq!(of_file("a.txt", "helmet\r\nsafety vest\n\n"), expected);
        assert_eq!(of_file("a.yaml", "train: x\nnc: 2\nnames: [helmet, safety vest]\n"), expected);
        assert_eq!(of_file("b.yml", "names:\n  0: helmet\n  1: safety vest\n"), expected);
        assert_eq!(of_file("c.yml", "names: [21008, 1.5]\n"), Ok(vec!["21008".to_owned(), "1.5".to_owned()]));
        assert!(of_file("c.txt", "a\n\nb\n").unwrap_err().contains("line 2"));
        assert!(of_file("c.yaml", "names:\n  0: a\n  2: b\n").unwrap_err().contains("leaves out some classes"));
        assert!(of_file("d.yaml", "nc: 2\n").unwrap_err().contains("has no names"));
        assert!(of_file("e.yaml", "names: [a\n").unwrap_err().contains("is no such YAML"));
    }
}
