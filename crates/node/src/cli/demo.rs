//! `throng demo`.

use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(
    after_help = "Everything happens on this machine, over real sockets of 127.0.0.1, in this process and in one \
                        process for each node; the copies go to a temporary folder that is removed at the end. Exits \
                        with 0 only if every system found what was published and every copy is right.\n\n\
                        Example: throng demo ~/Pictures"
)]
pub(crate) struct DemoArgs {
    /// The file or folder to share [default: files made for it]
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
}
