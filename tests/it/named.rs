//! What `ARCHITECTURE.md` names as tried is tried.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::house::rust_files;

/// Fewer names than this are not the table.
const NAMES_AT_LEAST: usize = 80;

#[test]
fn every_name_in_the_table_of_bad_days_is_that_of_a_test_or_a_scenario() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("a readable file");
    let table = text.split("### Bad days, by name").nth(1).expect("the table of bad days");
    let named: BTreeSet<&str> = table.lines().filter(|line| line.starts_with('|')).flat_map(|line| line.split('`').skip(1).step_by(2)).collect();
    let folders = ["src", "tests/it", "tests/virtual"].map(|folder| root.join(folder));
    let code: String = folders.iter().flat_map(|folder| rust_files(folder)).map(|path| fs::read_to_string(path).expect("a readable file")).collect();
    let is_there = |name: &str| match name.ends_with(".scenario") {
        true => root.join("tests/scenarios").join(name).exists(),
        false => code.contains(&format!("fn {name}(")),
    };
    let gone: Vec<&str> = named.iter().copied().filter(|name| !is_there(name)).collect();
    assert!(gone.is_empty(), "neither tests nor scenarios: {gone:?}");
    assert!(named.len() > NAMES_AT_LEAST, "{} names", named.len());
}
