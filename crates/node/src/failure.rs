//! How a command ends when it does not end well, and the exit code that says so.

use std::fmt::Display;
use std::process::ExitCode;

/// Why a command did not do what it was asked to; each shows as one line.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line asks for what makes no sense: exit code 2.
    Usage(String),
    /// It could not be done: exit code 1.
    Failed(String),
    /// The person stopped it: exit code 130, and nothing to say.
    Interrupted,
}

/// What a command gives back.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// It could not be done, because of this.
    pub(crate) fn failed(reason: impl Display) -> Failure {
        Failure::Failed(reason.to_string())
    }

    /// The line for people, if there is something to say.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Failure::Usage(reason) | Failure::Failed(reason) => Some(reason),
            Failure::Interrupted => None,
        }
    }

    /// The exit code of CLI contract: 1 could not be done, 2 wrong usage, 130 interrupted.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::Usage(_) => 2,
            Failure::Failed(_) => 1,
            Failure::Interrupted => 130,
        })
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::Failed(format!("{error:#}"))
    }
}
