//! The table of the archived solution's defects in README.md: it has all of them, and says of each test
//! where it is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const README: &str = include_str!("../README.md");

/// How many there are.
const DEFECTS: usize = 49;

/// What begins the name of a defect's test: `d07` of `D7`.
type Prefix = String;

/// The rows of the table: number, and where its tests are.
fn rows() -> Vec<(usize, Vec<(Prefix, String)>)> {
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let row = |line: &str| {
        let [_, number, _, tests, _] = cells(line).try_into().ok()?;
        let number = number.strip_prefix('D')?.parse::<usize>().ok()?;
        let places = tests.split("; ").filter_map(|of| of.split_once(" in "));
        let places = places.filter(|(prefix, _)| is_prefix(prefix)).flat_map(|(prefix, places)| {
            places.split(", ").map(|place| (prefix.to_owned(), place.to_owned())).collect::<Vec<_>>()
        });
        Some((number, places.collect()))
    };
    README.lines().filter_map(row).collect()
}

fn is_prefix(text: &str) -> bool {
    text.strip_prefix('d').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The tests that are named after defects, each with its file. One may be of two: `d20_d22_...`.
fn tests() -> BTreeSet<(Prefix, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeSet::new();
    for path in files(&src) {
        let file = path.strip_prefix(&src).unwrap().display().to_string();
        let text = std::fs::read_to_string(&path).unwrap();
        let names = text.lines().filter_map(|line| line.trim_start().split_once("fn ")?.1.split_once('('));
        for (name, _) in names {
            let prefixes = name.split('_').take_while(|word| is_prefix(word));
            found.extend(prefixes.map(|prefix| (prefix.to_owned(), file.clone())));
        }
    }
    found
}

#[test]
fn the_table_of_defects_names_every_test_and_no_other() {
    let (rows, mut untold) = (rows(), tests());
    let numbers: Vec<usize> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=DEFECTS).collect::<Vec<_>>());
    assert!(untold.len() > DEFECTS, "{untold:?}");
    let all = untold.clone();
    for (number, places) in rows {
        for (prefix, place) in places {
            assert!(prefix.starts_with(&format!("d{number:02}")), "D{number}: {prefix}");
            let is_there = |(of, file): &(Prefix, String)| *of == prefix && file.starts_with(&place);
            assert!(all.iter().any(is_there), "D{number}: no test {prefix} in {place}");
            untold.retain(|test| !is_there(test));
        }
    }
    assert!(untold.is_empty(), "not in the table: {untold:?}");
}
