//! What the documentation says exists, and what exists is in it.

use std::{fs, process::Command};

use yolo_cam::{Method, Target};

fn page(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The long flags that `yolo-cam ARGUMENTS --help` lists, `--` included.
fn flags(arguments: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_yolo-cam")).args(arguments).arg("--help").output();
    let help = String::from_utf8(output.expect("it runs").stdout).expect("help is UTF-8");
    let flag = |line: &str| {
        let words = line.trim_start();
        let from = if words.starts_with('-') { words.find("--")? } else { return None };
        Some(words[from..].split([' ', ',', '[']).next()?.to_owned())
    };
    help.lines().filter_map(flag).collect()
}

#[test]
fn the_readme_names_every_flag() {
    let readme = page("README.md");
    let commands = ["layers", "methods", "eval", "compare", "export", "shape", "completions", "man"];
    for command in [&[][..]].into_iter().chain(commands.iter().map(std::slice::from_ref)) {
        let flags = flags(command);
        assert!(flags.contains(&"--help".to_owned()), "{command:?}: {flags:?}");
        for flag in
            flags.iter().filter(|flag| !["--help", "--version", "--quiet", "--verbose"].contains(&flag.as_str()))
        {
            assert!(readme.contains(&format!("`{flag}")), "README.md lacks {flag} of {command:?}");
        }
    }
}

#[test]
fn the_readme_names_every_method_and_target() {
    let readme = page("README.md");
    for method in Method::all() {
        assert!(readme.contains(&format!("\n| {}", method.name)), "README.md lacks {}", method.name);
    }
    for target in Target::all() {
        assert!(readme.contains(&format!("`{}`", target.name)), "README.md lacks the target {}", target.name);
    }
}

#[test]
fn every_method_is_measured() {
    let evaluation = page("docs/evaluation.md");
    for method in Method::all() {
        let row = format!("\n| {} |", method.name);
        assert!(evaluation.contains(&row), "docs/evaluation.md lacks {}", method.name);
    }
    assert!(evaluation.contains("yolo-cam compare"), "the command that measured them");
}

#[test]
fn every_method_is_shown_on_two_pictures() {
    let methods = page("docs/methods.md");
    for method in Method::all() {
        let section = methods.split("\n## ").find(|section| section.lines().next() == Some(method.name));
        let section = section.unwrap_or_else(|| panic!("docs/methods.md lacks {}", method.name));
        let linked: Vec<&str> = section.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        let linked: Vec<&str> = linked.into_iter().filter(|link| link.ends_with(".jpg")).collect();
        assert_eq!(linked.len(), 2, "{}: {linked:?}", method.name);
        for picture in linked {
            image::open(format!("docs/{picture}")).unwrap_or_else(|e| panic!("docs/{picture}: {e}"));
        }
    }
    assert!(methods.contains("--example compare_methods"), "the command that made them");
}
