//! The resume state as the session uses it: shared by workers, kept in the home folder or only for the run.

use crate::resume::{Resume, ResumeError, Saved};
use crate::storage::Storage;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use throng_wire::metainfo::Info;

/// The database's name in the home folder.
const FILE: &str = "resume.sqlite";

/// The resume state; its calls wait for the disk, so workers make them.
pub(super) struct Journal {
    resume: Mutex<Resume>,
    /// Whether it outlives the process: else no checkpoint is worth its time.
    lasts: bool,
}

impl Journal {
    /// Opens the state in the folder, which is made if needed; returns a line for people if it is not as it should be.
    pub(super) fn open(home: Option<&Path>) -> io::Result<(Journal, Option<String>)> {
        let Some(home) = home else {
            let resume = Mutex::new(Resume::in_memory().map_err(io::Error::other)?);
            return Ok((Journal { resume, lasts: false }, None));
        };
        std::fs::create_dir_all(home)?;
        let opened = Resume::open(&home.join(FILE)).map_err(io::Error::other)?;
        let notice = opened.notice.map(|notice| notice.to_string());
        Ok((Journal { resume: Mutex::new(opened.resume), lasts: true }, notice))
    }

    /// Believes what was saved of the pieces and returns those to be checked.
    pub(super) fn restore(&self, storage: &Storage) -> Result<Vec<u32>, ResumeError> {
        let metainfo = storage.metainfo();
        let mut resume = self.resume.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = storage.files().root().to_owned();
        let name = name(&metainfo.info);
        resume.save(&Saved {
            info_hash: name.clone(),
            metainfo: metainfo.encode(),
            folder,
            options: Vec::new(),
        })?;
        Ok(resume.restore(&name, storage)?.recheck)
    }

    /// Saves what is stored; `last` if nothing will be written afterwards.
    pub(super) fn save(&self, storage: &Storage, last: bool) -> Result<(), ResumeError> {
        if !self.lasts {
            return Ok(());
        }
        let mut resume = self.resume.lock().unwrap_or_else(PoisonError::into_inner);
        let name = name(&storage.metainfo().info);
        if last { resume.finish(&name, storage) } else { resume.checkpoint(&name, storage) }
    }
}

/// A torrent's name in the database: the v1 info-hash, or the whole v2 one.
fn name(info: &Info) -> Vec<u8> {
    let v1 = info.hash_v1().map(|hash| hash.0.to_vec());
    v1.or(info.hash_v2().map(|hash| hash.0.to_vec())).unwrap_or_default()
}
