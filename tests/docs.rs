//! What the documentation says exists, and what exists is in it.

use std::{fs, process::Command};

use walkdir::WalkDir;
use yolo_cam::{Method, Target, model::known_blocks};

fn page(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// What `yolo-cam ARGUMENTS --help` prints.
fn help(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_yolo-cam")).env_remove("COLUMNS").args(arguments).arg("--help").output();
    let help = String::from_utf8(output.expect("it runs").stdout).expect("help is UTF-8");
    help.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn the_command_reference_is_what_help_prints() {
    let commands = [
        "layers",
        "methods",
        "eval",
        "compare",
        "diagnose",
        "diff",
        "merge",
        "explore",
        "export",
        "shape",
        "completions",
        "man",
    ];
    let mut expected = String::from("# Commands and flags\n\nThis page is generated: it is what `--help` prints.\n");
    for command in [&[][..]].into_iter().chain(commands.iter().map(std::slice::from_ref)) {
        let title = ["yolo-cam"].iter().chain(command).copied().collect::<Vec<_>>().join(" ");
        expected += &format!("\n## {title}\n\n```text\n{}```\n", help(command));
    }
    check_generated("docs/reference/commands.md", &expected, "what --help prints");
}

/// Whether a page that is generated is as it would be generated now. UPDATE_DOCS makes it anew.
fn check_generated(path: &str, expected: &str, what: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, expected).expect("it is written");
    }
    assert!(page(path) == expected, "{path} is not {what}; UPDATE_DOCS=1 cargo test --test docs makes it anew");
}

#[test]
fn the_manual_lists_every_block_with_its_origin() {
    let mut expected = String::from(
        "# Blocks of checkpoints\n\n\
         yolo-cam runs a checkpoint (`.pt`) without its Python code: it rebuilds the network from the blocks that it knows. This page, \
         which is generated from their registry, lists those blocks with the family or fork that each comes from. A class counts as known \
         only if it has the same modules, tensors and attributes as the block of that name. A block that a fork has changed is refused by \
         name; [a TorchScript export](../guide/your-model.md) of such a model works.\n",
    );
    let blocks = known_blocks();
    for group in blocks.chunk_by(|a, b| (a.origin, a.source) == (b.origin, b.source)) {
        // A class may have several forms.
        let mut seen = std::collections::HashSet::new();
        let classes = group.iter().filter(|block| seen.insert(block.class)).map(|block| format!("`{}`", block.class));
        let classes: Vec<String> = classes.collect();
        expected += &format!("\n## {}\n\n<{}>\n\n{}\n", group[0].origin, group[0].source, classes.join(", "));
    }
    check_generated("docs/reference/blocks.md", &expected, "what the registry of blocks holds");
}

#[test]
fn the_manual_names_every_method_and_target() {
    let choosing = page("docs/guide/choosing.md");
    for method in Method::all() {
        assert!(choosing.contains(&format!("\n| {}", method.name)), "the manual lacks {}", method.name);
    }
    for target in Target::all() {
        assert!(choosing.contains(&format!("`{}`", target.name)), "the manual lacks the target {}", target.name);
    }
}

/// The files that a page of Markdown links to, relative to it, without web addresses.
fn linked(page: &str) -> impl Iterator<Item = &str> {
    let links = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links
        .filter(|link| !link.contains("://"))
        .map(|link| link.split('#').next().unwrap_or(""))
        .filter(|link| !link.is_empty())
}

#[test]
fn the_front_page_is_short_and_no_page_links_to_nothing() {
    assert!(page("README.md").len() <= 8 * 1024, "README.md is a front page of at most 8 KiB");
    let summary = page("docs/SUMMARY.md");
    let chapters = linked(&summary).map(|link| format!("docs/{link}"));
    let others = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/SUMMARY.md"].map(str::to_owned);
    for path in chapters.chain(others) {
        let folder = std::path::Path::new(&path).parent().expect("a folder");
        for link in linked(&page(&path)) {
            assert!(folder.join(link).exists(), "{path} links to {link}, which is not there");
        }
    }
}

#[test]
fn every_method_is_measured() {
    let evaluation = page("docs/evaluation.md");
    for method in Method::all().into_iter().filter(|method| !method.is_choice()) {
        let row = format!("\n| {} |", method.name);
        assert!(evaluation.contains(&row), "docs/evaluation.md lacks {}", method.name);
    }
    assert!(evaluation.contains("yolo-cam compare"), "the command that measured them");
}

/// The cells of the rows of all tables of a page that begin with the name of a method or a baseline.
fn measured_rows(page: &str) -> Vec<Vec<&str>> {
    let methods = Method::all();
    let names: Vec<&str> =
        methods.iter().map(|method| method.name).chain(["Gaussian on the box", "random map"]).collect();
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let rows = rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    rows.filter(|row| names.contains(&row[0])).collect()
}

#[test]
fn claims_about_trust_are_those_of_the_tables() {
    let evaluation = page("docs/evaluation.md");
    let summary = evaluation.split("\n## In short\n").nth(1).and_then(|rest| rest.split("\n## ").next());
    let summary = summary.expect("docs/evaluation.md has a summary").trim();
    let table = measured_rows(&evaluation);
    for path in ["README.md", "docs/guide/trust.md"] {
        let text = page(path);
        assert!(text.contains(summary), "{path} does not say in the same words: {summary}");
        let rows = measured_rows(&text);
        assert!(!rows.is_empty(), "{path} shows no figures");
        for row in rows {
            let is_measured = |measured: &Vec<&str>| {
                measured[0] == row[0] && row.iter().all(|cell| cell.is_empty() || measured.contains(cell))
            };
            assert!(table.iter().any(is_measured), "{path}: {row:?} is not in docs/evaluation.md");
        }
    }
}

#[test]
fn every_method_is_shown_on_two_pictures() {
    let methods = page("docs/methods.md");
    for method in Method::all().into_iter().filter(|method| !method.is_choice()) {
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

/// The paths that an example in the documentation of `source` names.
fn named_paths(source: &str) -> impl Iterator<Item = &str> {
    let comments = source.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))
    });
    let mut is_code = false;
    let code = comments.filter(move |line| {
        is_code ^= line.trim_start().starts_with("```");
        is_code
    });
    code.flat_map(|line| line.split('"').skip(1).step_by(2)).filter(|text| text.contains('/'))
}

#[test]
fn the_package_has_the_files_that_its_examples_name() {
    let sources: Vec<String> = WalkDir::new("src")
        .into_iter()
        .map(|entry| entry.expect("it can be listed").into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| page(&path.to_string_lossy()))
        .collect();
    let named: Vec<&str> = sources.iter().flat_map(|source| named_paths(source)).collect();
    assert!(named.contains(&"images/dog.jpg"), "{named:?}");

    let listed = Command::new(env!("CARGO")).args(["package", "--list", "--allow-dirty", "--offline"]).output();
    let listed = String::from_utf8(listed.expect("it runs").stdout).expect("paths are UTF-8");
    for path in named {
        assert!(listed.lines().any(|line| line == path), "an example names {path}, which the package does not have");
    }
}
