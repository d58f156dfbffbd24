//! Where a long walk is, so that the next run goes on there.

use std::future::Future;
use std::path::PathBuf;

use serde_json::Value;

use crate::outcome::{Failure, Outcome};

/// Remembers small documents by name.
pub trait Progress: Sync {
    /// What was put under that name last.
    fn get(&self, name: &str) -> impl Future<Output = Outcome<Option<Value>>> + Send;
    /// Replaces what is under that name.
    fn put(&self, name: &str, value: &Value) -> impl Future<Output = Outcome<()>> + Send;
    /// Forgets a name.
    fn clear(&self, name: &str) -> impl Future<Output = Outcome<()>> + Send;
}

/// Remembers nothing: each run begins at the beginning.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forgetful;

impl Progress for Forgetful {
    async fn get(&self, _name: &str) -> Outcome<Option<Value>> {
        Ok(None)
    }

    async fn put(&self, _name: &str, _value: &Value) -> Outcome<()> {
        Ok(())
    }

    async fn clear(&self, _name: &str) -> Outcome<()> {
        Ok(())
    }
}

/// One file a name, in a folder that exists. A file is replaced as a whole or not at all.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Remembers in that folder.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn file(&self, name: &str) -> PathBuf {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        self.path.join(name.chars().map(plain).collect::<String>()).with_extension("json")
    }
}

impl Progress for Folder {
    async fn get(&self, name: &str) -> Outcome<Option<Value>> {
        let step = "read progress";
        match tokio::fs::read(self.file(name)).await {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map(Some).map_err(|why| Failure::permanent(step, why))
            }
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(Failure::permanent(step, why)),
        }
    }

    async fn put(&self, name: &str, value: &Value) -> Outcome<()> {
        let failed = |why| Failure::permanent("write progress", why);
        let (file, next) = (self.file(name), self.file(name).with_extension("json.next"));
        tokio::fs::write(&next, value.to_string()).await.map_err(failed)?;
        tokio::fs::rename(&next, &file).await.map_err(failed)
    }

    async fn clear(&self, name: &str) -> Outcome<()> {
        match tokio::fs::remove_file(self.file(name)).await {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::permanent("clear progress", why))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_folder_remembers_until_it_is_told_to_forget() {
        let path = std::env::temp_dir().join(format!("gameday-progress-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let folder = Folder::new(path.clone());
        assert_eq!(folder.get("sync/a").await.unwrap(), None);
        folder.put("sync/a", &json!({"from": 1})).await.unwrap();
        folder.put("sync/a", &json!({"from": 2})).await.unwrap();
        assert_eq!(Folder::new(path.clone()).get("sync/a").await.unwrap(), Some(json!({"from": 2})));
        folder.clear("sync/a").await.unwrap();
        folder.clear("sync/a").await.unwrap();
        assert_eq!(folder.get("sync/a").await.unwrap(), None);
        std::fs::remove_dir_all(path).unwrap();
    }
}
