//! Whether the test is wanted, and possible.

/// Whether namespaces and TUN devices can be made; if not, says so, or fails where nothing may be missing.
pub(crate) fn possible() -> bool {
    let word = std::env::var("THRONG_INTEROP").unwrap_or_default();
    if word == "off" {
        eprintln!("skipped: THRONG_INTEROP=off");
        return false;
    }
    let mut missing = Vec::new();
    if !rustix::process::geteuid().is_root() {
        missing.push("root (for network namespaces)");
    }
    if std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun").is_err() {
        missing.push("/dev/net/tun");
    }
    let runs = |program: &str| std::process::Command::new(program).arg("--version").output().is_ok();
    missing.extend(
        ["python3", "ip", "nsenter", "unshare", "setpriv"].into_iter().filter(|program| !runs(program)),
    );
    if missing.is_empty() {
        return true;
    }
    let required = std::env::var("CI").is_ok_and(|word| word == "true") || word == "required";
    assert!(!required, "missing: {}", missing.join(", "));
    eprintln!("skipped, missing: {}", missing.join(", "));
    false
}
