//! The input of a bulk registration: a line of JSON for each device, and the template that says what is made of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::FOLDER;
use crate::{
    fleet::Recipe,
    pool::{Manifest, Pool, create_folder, manifest::random_id, write_file},
};

/// A line of the input.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    #[serde(rename = "ThingName")]
    thing: String,
    #[serde(rename = "CSR")]
    csr: String,
}

/// An input that is on disk.
#[derive(Debug, Clone)]
pub(super) struct Input {
    /// What it is told from others by.
    pub(super) id: String,
    path: PathBuf,
    /// Things by their line, from 1 on.
    things: Vec<String>,
}

impl Input {
    /// Writes the input for these devices, which are in order.
    pub(super) fn write(pool: &Pool, devices: &[u32]) -> anyhow::Result<Self> {
        let id = random_id();
        create_folder(&pool.path().join(FOLDER))?;
        let path = path(pool, &id);
        let (mut text, mut things) = (String::new(), Vec::new());
        let mut wanted = devices.iter().copied().peekable();
        for shard in pool.shards()? {
            for (number, csr) in (shard.first..).zip(shard.csr_pems()?) {
                if wanted.next_if_eq(&number).is_some() {
                    let line = Line { thing: pool.device(number), csr };
                    text += &serde_json::to_string(&line)?;
                    text.push('\n');
                    things.push(line.thing);
                }
            }
        }
        write_file(&path, text.as_bytes())?;
        Ok(Self { id, path, things })
    }

    /// The one that was written before.
    pub(super) fn read(pool: &Pool, id: &str) -> anyhow::Result<Self> {
        let path = path(pool, id);
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let things = text.lines().map(|line| Ok(serde_json::from_str::<Line>(line)?.thing));
        let things = things.collect::<anyhow::Result<_>>();
        let things = things.with_context(|| format!("{} is not understood", path.display()))?;
        Ok(Self { id: id.to_owned(), path, things })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The numbers of its devices.
    pub(super) fn devices<'a>(&'a self, manifest: &'a Manifest) -> impl Iterator<Item = u32> + 'a {
        self.things.iter().filter_map(|thing| manifest.number(thing))
    }

    /// The device of a line; lines count from 1.
    pub(super) fn device(&self, manifest: &Manifest, line: u64) -> Option<u32> {
        let index = usize::try_from(line.checked_sub(1)?).ok()?;
        manifest.number(self.things.get(index)?)
    }
}

fn path(pool: &Pool, id: &str) -> PathBuf {
    pool.path().join(FOLDER).join(format!("{id}.ndjson"))
}

/// What is made of a line: the same as call by call. A thing that is there already fails the line, unless it is known to be the
/// fleet's: then it gets what it lacks.
pub(super) fn template(recipe: &Recipe, is_known: bool) -> Value {
    let mut thing = json!({"ThingName": {"Ref": "ThingName"}});
    if let Some(thing_type) = &recipe.thing_type {
        thing["ThingTypeName"] = json!(thing_type);
    }
    if !recipe.attributes.is_empty() {
        thing["AttributePayload"] = json!(recipe.attributes);
    }
    if !recipe.groups.is_empty() {
        thing["ThingGroups"] = json!(recipe.groups);
    }
    let on_conflict = if is_known { "REPLACE" } else { "FAIL" };
    json!({
        "Parameters": {"ThingName": {"Type": "String"}, "CSR": {"Type": "String"}},
        "Resources": {
            "thing": {"Type": "AWS::IoT::Thing", "Properties": thing, "OverrideSettings": {
                "AttributePayload": on_conflict, "ThingTypeName": on_conflict, "ThingGroups": on_conflict}},
            "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {
                "CertificateSigningRequest": {"Ref": "CSR"}, "Status": "ACTIVE"}},
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": recipe.policy}},
        },
    })
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        identity::KeyKind,
        pool::{Progress, fill},
    };

    #[test]
    fn each_line_is_a_device_with_its_csr_and_reads_back() {
        let fleets = tempfile::tempdir().unwrap();
        let mut pool = Pool::begin(fleets.path(), "lamps", KeyKind::P256).unwrap();
        pool.manifest.devices = 4;
        fill(&pool, &Progress::silent(), &CancellationToken::new()).unwrap();
        let input = Input::write(&pool, &[1, 3, 4]).unwrap();
        let again = Input::read(&pool, &input.id).unwrap();
        assert_eq!(again.things, ["lamps-00001", "lamps-00003", "lamps-00004"]);
        let manifest = &pool.manifest;
        assert_eq!(input.devices(manifest).collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!([0, 1, 2, 4].map(|line| again.device(manifest, line)), [None, Some(1), Some(3), None]);
        let text = fs::read_to_string(input.path()).unwrap();
        let second: Line = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        let csr = rcgen::CertificateSigningRequestParams::from_pem(&second.csr).unwrap();
        let name = csr.params.distinguished_name.get(&rcgen::DnType::CommonName);
        assert_eq!(name, Some(&"lamps-00003".into()));
        assert!(!text.contains("PRIVATE KEY"));
    }

    #[test]
    fn the_template_has_what_the_recipe_has() {
        let plain = template(&Recipe { policy: "p".into(), ..Recipe::default() }, false);
        assert_eq!(plain["Resources"]["thing"]["OverrideSettings"]["AttributePayload"], "FAIL");
        assert_eq!(plain["Resources"]["thing"]["Properties"], json!({"ThingName": {"Ref": "ThingName"}}));
        let full = template(
            &Recipe {
                policy: "p".into(),
                thing_type: Some("lamp".into()),
                groups: vec!["a".into()],
                attributes: [("k".to_owned(), "v".to_owned())].into(),
            },
            true,
        );
        assert_eq!(full["Resources"]["thing"]["OverrideSettings"]["ThingGroups"], "REPLACE");
        let expected = json!({"ThingName": {"Ref": "ThingName"}, "ThingTypeName": "lamp",
            "AttributePayload": {"k": "v"}, "ThingGroups": ["a"]});
        assert_eq!(full["Resources"]["thing"]["Properties"], expected);
        assert_eq!(full["Resources"]["policy"]["Properties"]["PolicyName"], "p");
    }
}
