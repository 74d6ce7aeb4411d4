//! `throng demo`.

use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(
    after_help = "Everything happens on this machine, in this process, over real sockets of 127.0.0.1; the copies go \
                        to a temporary folder that is removed at the end. Exits with 0 only if every copy is right.\n\n\
                        Example: throng demo ~/Pictures"
)]
pub(crate) struct DemoArgs {
    /// The file or folder to share [default: the folder crates of this repository, or files made for it]
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
}
