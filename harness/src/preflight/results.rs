//! Whether run folders can be written where they go.

use std::path::Path;

use futures::{FutureExt, future::ready};

use super::{Check, Finding, Stage};

pub(super) static CHECK: Check = Check {
    name: "results",
    label: "The folder of results",
    stage: Stage::Here,
    can_be_ignored: false,
    look: |ground| ready(look(ground.out)).boxed_local(),
};

/// Writes a file without a name, where there is a folder already.
fn look(out: &Path) -> Finding {
    let there = std::path::absolute(out)
        .ok()
        .and_then(|path| path.ancestors().find(|folder| folder.exists()).map(Path::to_owned));
    let Some(there) = there else {
        return Finding::refused(format!(
            "{} is no place for a folder: give --out another one",
            out.display()
        ));
    };
    match tempfile::tempfile_in(&there) {
        Ok(_) => Finding::passed(format!("{} can be written", out.display())),
        Err(error) => Finding::refused(format!(
            "nothing can be written in {}: {error}; give --out another folder",
            there.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use gameday_report::record::PreflightOutcome as Outcome;

    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_is_fine_where_it_can_be_made() {
        let keep = tempfile::tempdir().unwrap();
        assert_eq!(look(&keep.path().join("a/b/c")).outcome, Outcome::Passed);
        assert_eq!(std::fs::read_dir(keep.path()).unwrap().count(), 0, "nothing is left there");
        let file = keep.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(look(&file.join("runs")).outcome, Outcome::Refused);
    }
}
