//! opentracker as Debian builds it: it serves only the torrents on its list.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Result;

use super::{Tracker, find_in_path};
use crate::lab::Host;
use crate::process::{Running, Sign};

/// The driver of opentracker.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opentracker;

impl Tracker for Opentracker {
    fn name(&self) -> &'static str {
        "opentracker"
    }

    fn is_installed(&self) -> bool {
        find_in_path("opentracker").is_some()
    }

    fn start(&self, host: &Host, port: u16, info_hashes: &[String], scratch: &Path) -> Result<Running> {
        // It changes its root to this folder and its user to nobody before it reads the list.
        let folder = scratch.join("opentracker");
        std::fs::create_dir_all(&folder)?;
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755))?;
        std::fs::write(folder.join("list"), info_hashes.join("\n") + "\n")?;
        let mut command = host.namespace.command("opentracker");
        let (address, port_word) = (host.address.to_string(), port.to_string());
        command.args(["-i", &address, "-p", &port_word, "-P", &port_word, "-w", "list", "-d"]).arg(&folder);
        Running::start(self.name(), command, &scratch.join("tracker.log"), Sign::Listening(port), Sign::Exit)
    }
}
